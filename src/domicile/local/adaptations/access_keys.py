"""Access keys of IAM users and of roles' sessions are checked.

AWS: a request acts for the owner of its access key. The key must exist and be active, the signature must be made with
its secret, and the policies of the user or the role must allow the action, under conditions such as the address that
the request comes from.

MiniStack 1.5.33: does all that when AUTH is set, for every request alike; else it takes any key, and gives functions
the account's. Every request came without TLS, it says to policies that ask.

Here AUTH is true while a request with such a key is served, and each request counts as one over TLS. The account's own
key (its number) may do everything, as without AUTH.
"""

from __future__ import annotations

import contextvars
import re
from typing import Any

from ministack import app as ministack_app
from ministack.core import iam_evaluator, lambda_runtime

from domicile.local.adaptations import expect_function, expect_value
from domicile.local.gateway import App, Receive, Scope, Send

_KEY = re.compile(rb"Credential=([^/,\s]*)/")
_checked: contextvars.ContextVar[bool] = contextvars.ContextVar("access_key_is_checked", default=False)


class _WhileChecked:
    """MiniStack's setting, which it asks for whether it is true."""

    def __bool__(self) -> bool:
        return _checked.get()


def install() -> App:
    """Let MiniStack check users' keys and roles' sessions; return its application, served in place of MiniStack's."""
    expect_value(ministack_app, "AUTH")
    expect_function(lambda_runtime, "execution_credentials", "config")
    expect_function(iam_evaluator, "is_root_access_key", "access_key_id")
    pin = expect_function(ministack_app, "pin_request_origin", "source_ip", "secure_transport")
    inner: App = expect_function(ministack_app, "app", "scope", "receive", "send")
    ministack_app.AUTH = _WhileChecked()
    ministack_app.pin_request_origin = lambda source_ip, _: pin(source_ip, True)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        signed = _KEY.search(dict(scope.get("headers", ())).get(b"authorization", b""))
        _checked.set(not iam_evaluator.is_root_access_key(signed[1].decode() if signed else ""))
        await inner(scope, receive, send)

    return app


def of_function(config: dict[str, Any]) -> dict[str, str]:
    """Return the variables with the access key of a session of a function's role."""

    def ask() -> dict[str, str]:
        _checked.set(True)
        keys: dict[str, str] = lambda_runtime.execution_credentials(config)
        return keys

    return contextvars.copy_context().run(ask)
