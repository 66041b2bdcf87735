"""Access keys of IAM users are checked.

AWS: a request acts for the owner of its access key. The key must exist and be active, the signature must be made with
its secret, and the user's policies must allow the action, from where the request comes.

MiniStack 1.5.33: does all that when AUTH is set, for every request alike, and then enforces what this local AWS leaves
alone (queue policies that want TLS, for one); else it takes any key.

Here AUTH is true while a request with an IAM user's key is served. The account's own key (its number) and a role's
session may do everything, as without AUTH.
"""

from __future__ import annotations

import contextvars
import re

from ministack import app as ministack_app
from ministack.core import iam_evaluator
from ministack.services import sts

from domicile.local.adaptations import expect_function, expect_value
from domicile.local.gateway import App, Receive, Scope, Send

_KEY = re.compile(rb"Credential=([^/,\s]*)/")
_checked: contextvars.ContextVar[bool] = contextvars.ContextVar("access_key_is_checked", default=False)


class _WhileChecked:
    """MiniStack's setting, which it asks for whether it is true."""

    def __bool__(self) -> bool:
        return _checked.get()


def install() -> App:
    """Let MiniStack check IAM users' keys; return its application, which is served in place of MiniStack's."""
    expect_value(ministack_app, "AUTH")
    expect_value(sts, "_sessions")
    expect_function(iam_evaluator, "is_root_access_key", "access_key_id")
    inner: App = expect_function(ministack_app, "app", "scope", "receive", "send")
    ministack_app.AUTH = _WhileChecked()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        signed = _KEY.search(dict(scope.get("headers", ())).get(b"authorization", b""))
        key = signed[1].decode() if signed else ""
        _checked.set(not iam_evaluator.is_root_access_key(key) and key not in sts._sessions)
        await inner(scope, receive, send)

    return app
