"""The link's own client over a socket that takes large items slowly, with a tenth of its times."""

from __future__ import annotations

import json
import os
import socket
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Thread

import pytest
from botocore.config import Config
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from domicile.aws import world
from domicile.aws.link import AccessKey, CourierSecret
from domicile.aws.settings import CourierSettings
from domicile.core.parcels import Record

_FASTER = 10
_BYTES_PER_S = _FASTER * 140_000
_HOST = "127.0.0.1"


def _certificate(folder: Path) -> Path:
    """Write a certificate of this host, with its key, and return the file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _HOST)])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(_HOST))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "host.pem"
    file.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
    return file


class _Slow(BaseHTTPRequestHandler):
    """Takes a request as slowly as the link is, and answers that every record was taken."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body, length, started = b"", int(self.headers["Content-Length"]), time.monotonic()
        while len(body) < length:
            part = self.rfile.read1(min(16_384, length - len(body)))
            if not part:
                return  # the client gave up
            body += part
            time.sleep(max(0.0, started + len(body) / _BYTES_PER_S - time.monotonic()))
        taken = [{"SequenceNumber": "1", "ShardId": "s"} for _ in json.loads(body)["Records"]]
        answer = json.dumps({"FailedRecordCount": 0, "Records": taken}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Write nothing to the test's output."""


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a server that takes requests slowly."""
    certificate = _certificate(tmp_path)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with ThreadingHTTPServer((_HOST, 0), _Slow) as server:
        server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)  # else it takes megabytes at once
        server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://{_HOST}:{server.server_port}"
        server.shutdown()


def test_a_slow_link_carries_large_items(slow: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that can't be sent in time is built again at each delivery, and nothing of it would ever cross."""
    config, times = world.LINK_CONFIG, ("connect_timeout", "read_timeout")
    faster = {name: getattr(config, name) / _FASTER for name in times}
    monkeypatch.setattr(world, "LINK_CONFIG", config.merge(Config(**faster)))
    monkeypatch.setattr(CourierSecret, "read", lambda _: AccessKey("AKIA", "secret"))
    link = world.make_link(
        CourierSettings(
            name="shop",
            region="eu-west-1",
            policy="shop/live/policy",
            bus="shop",
            quarantine_url="https://sqs",
            hash_secret="shop/hash-key",
            receiver="cn-north-1",
            stream="shop-from-eu-west-1",
            secret="shop/courier",
            endpoint=slow,
        )
    )
    assert link.send([Record("k" * 64, os.urandom(160_000)) for _ in range(24)]) == {}
