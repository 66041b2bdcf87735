"""``up`` leads the couriers of a bridge to the other local partition, and changes nothing else of the deployment."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from domicile.deployment import Deployment
from domicile.local.bridges import bind_bridges

ENDPOINTS = {"aws": "http://127.0.0.1:4566", "aws-cn": "http://127.0.0.1:4567"}
LONDON, BEIJING = "eu-west-2", "cn-north-1"
DOCUMENT = {
    "name": "shop",
    "regions": [LONDON, BEIJING],
    "authorities": {"UK": LONDON, "NO": BEIJING},
    "tables": {"customers": {"hash_key": {"name": "id", "type": "S"}, "sensitive": {"name": "redact"}}},
}


def _bound(folder: Path, *bridges: dict[str, object]) -> tuple[Deployment, Deployment]:
    """Return a deployment with these bridges, and the one to synthesize from."""
    file = folder / "domicile.yaml"
    file.write_text(yaml.safe_dump({**DOCUMENT, "bridges": list(bridges)}))
    bound = bind_bridges(file, ENDPOINTS, folder / "copy.yaml")
    return Deployment.load(file), Deployment.load(bound)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"egress": "private", "gateways": {end: {"endpoint": "https://vpce.example"} for end in (LONDON, BEIJING)}},
        {"egress": "proxy", "gateways": {end: {"proxy": "http://10.0.0.8:3128"} for end in (LONDON, BEIJING)}},
    ],
)
def test_each_courier_sends_to_the_other_local_partition(settings: dict[str, object], tmp_path: Path) -> None:
    given, bound = _bound(tmp_path, {"between": [BEIJING, LONDON], "global_items": True, "stubs": ["UK"], **settings})
    (bridge,) = bound.bridges
    for sender, endpoint in ((BEIJING, ENDPOINTS["aws"]), (LONDON, ENDPOINTS["aws-cn"])):
        expected = {"addresses": ["127.0.0.1/32"], "endpoint": endpoint}
        assert bridge.gateway(sender).model_dump(exclude_unset=True) == expected
    assert bound.policy_document() == given.policy_document()


def test_a_deployment_without_a_bridge_is_synthesized_from_its_own_file(tmp_path: Path) -> None:
    file = tmp_path / "domicile.yaml"
    file.write_text("name: shop")
    assert bind_bridges(file, ENDPOINTS, tmp_path / "copy.yaml") == file
    assert not (tmp_path / "copy.yaml").exists()


def test_the_range_of_a_couriers_network_is_kept(tmp_path: Path) -> None:
    gateways = {LONDON: {"vpc_cidr": "10.9.0.0/24", "addresses": ["203.0.113.7/32"]}}
    _, bound = _bound(tmp_path, {"between": [BEIJING, LONDON], "gateways": gateways})
    assert bound.bridges[0].gateway(LONDON).vpc_cidr == "10.9.0.0/24"
