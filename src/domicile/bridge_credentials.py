"""The access keys by which the couriers of a bridge write into the other partition: made, rotated, checked.

A direction has an IAM user in the receiving partition (of Terraform, which never makes its keys) and a secret in the
sending gateway Region (of Terraform, which never puts its value). IAM allows a user two keys. What one call may do
follows from the user's keys and from the key that is in the secret, and is one step:

    keys of the user                         init          rotate                    rotate --delete
    none, and none in the secret             create one    (init first)              nothing
    the secret's                             nothing       create the second one     nothing
    the secret's, and another active one     nothing       deactivate the other      nothing
    the secret's, and another inactive one   nothing       nothing                   delete the other

A new key is tried before it is put into the secret, where the former one stays as AWSPREVIOUS. No key is deactivated
or deleted before the secret's own was tried; deactivating can be undone, and a courier that still has the former key
is refused and reads the secret again. Whatever else is found is left alone and said.

A key's secret part is in no message, plan or representation, and of its id there are the last four characters alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from domicile.accounts import Clients, reported
from domicile.aws.link import AccessKey
from domicile.deployment import Deployment
from domicile.errors import OperationError
from domicile.naming import Names

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_secretsmanager import SecretsManagerClient

KEYS_MAX = 2
"""How many access keys IAM allows a user."""
TRY_WITHIN_S = 60.0
"""How long a new key may be refused: IAM is eventually consistent."""
_TRY_EVERY_S = 2.0
_ADDRESS_CONDITIONS = ("aws:sourceip", "aws:sourcevpce")


class Action(Enum):
    """What a step does; ``BLOCKED`` says that somebody has to do something first."""

    NOTHING = "nothing"
    CREATE = "create"
    DEACTIVATE = "deactivate"
    DELETE = "delete"
    BLOCKED = "blocked"


@dataclass(frozen=True)
class Key:
    """An access key of the user. ``last_used`` lags behind by some minutes; None: never, as far as IAM knows."""

    id: str = field(repr=False)
    active: bool
    created: datetime
    last_used: datetime | None

    @property
    def tail(self) -> str:
        """The part of its id that may be shown."""
        return _tail(self.id)


@dataclass(frozen=True)
class State:
    """What is there for one direction. ``account`` is the user's; None where there is no user.

    ``stored`` is None where the secret has no value yet; ``secret_problem`` says why it can't be used at all.
    """

    account: str | None
    keys: tuple[Key, ...]
    stored: AccessKey | None = field(repr=False)
    secret_problem: str | None

    @property
    def current(self) -> Key | None:
        """The user's key that is in the secret."""
        return next((key for key in self.keys if self.stored and key.id == self.stored.id), None)

    @property
    def other(self) -> Key | None:
        """The user's key that is not in the secret, beside one that is."""
        return next((key for key in self.keys if self.current and key != self.current), None)


@dataclass(frozen=True)
class Step:
    """What is to be done for one direction, in words; ``key`` is the one to deactivate or delete."""

    action: Action
    text: str
    key: Key | None = None


def plan_init(state: State) -> Step:
    """Return the step to a first key."""
    blocked = _blocked(state)
    if blocked or state.current:
        return blocked or _nothing("a key is there and in the secret")
    if state.stored:
        text = f"the secret's key {_tail(state.stored.id)} is not one of the user's; domicile bridge credentials rotate"
        return Step(Action.BLOCKED, text)
    if state.keys:
        tails = " and ".join(key.tail for key in state.keys)
        return Step(Action.BLOCKED, f"the user's key {tails} is in no secret; delete it, or put it there")
    return Step(Action.CREATE, "create an access key and put it into the secret")


def plan_rotation(state: State, *, delete: bool) -> Step:
    """Return the next step of a rotation; with ``delete`` only an inactive key is removed."""
    blocked = _blocked(state)
    if blocked:
        return blocked
    if not state.stored:
        return Step(Action.BLOCKED, "the secret has no value; domicile bridge credentials init")
    if state.other is None:
        if delete:
            return _nothing("there is no other key")
        if len(state.keys) < KEYS_MAX:
            return Step(Action.CREATE, "create the second access key, try it, and put it into the secret")
        return Step(Action.BLOCKED, "neither of the user's two keys is in the secret; delete one of them")
    if state.current and not state.current.active:
        text = (
            f"the secret's key {state.current.tail} is inactive: activate it; "
            "if it leaked, delete it instead (aws iam delete-access-key), then rotate"
        )
        return Step(Action.BLOCKED, text)
    if state.other.active:
        if delete:
            return _nothing(f"the other key {state.other.tail} is still active; rotate without --delete first")
        used = f"last used {state.other.last_used:%Y-%m-%d %H:%M} UTC" if state.other.last_used else "never used"
        text = f"try the secret's key, then deactivate the other one {state.other.tail} ({used})"
        return Step(Action.DEACTIVATE, text, state.other)
    if delete:
        return Step(
            Action.DELETE, f"try the secret's key, then delete the inactive one {state.other.tail}", state.other
        )
    return _nothing(f"the former key {state.other.tail} is inactive; --delete removes it")


def problems(state: State, addresses: tuple[str, ...] | None, age_days_max: int, now: datetime) -> Iterator[str]:
    """Yield what is wrong; ``addresses`` is what the user may put from, None where that can't be read."""
    blocked = _blocked(state)
    if blocked:
        yield blocked.text
        return
    if state.stored is None:
        yield "the secret has no value; domicile bridge credentials init"
    elif state.current is None:
        yield f"the secret's key {_tail(state.stored.id)} is not one of the user's"
    elif not state.current.active:
        yield f"the secret's key {state.current.tail} is inactive"
    for key in state.keys:
        age_days = (now - key.created).days
        if key.active and age_days > age_days_max:
            yield f"the key {key.tail} is {age_days} days old, more than {age_days_max}"
    if addresses == ():
        yield "the user may put from no address: list the courier's in the deployment file, and apply"


def _blocked(state: State) -> Step | None:
    if state.account is None:
        return Step(Action.BLOCKED, "the user is missing; apply the receiver's stack first")
    return Step(Action.BLOCKED, state.secret_problem) if state.secret_problem else None


def _nothing(text: str) -> Step:
    return Step(Action.NOTHING, f"nothing to do: {text}")


def _tail(key_id: str) -> str:
    return f"...{key_id[-4:]}"


def directions(deployment: Deployment, clients: Clients) -> list[Direction]:
    """Return both directions of each bridge of a deployment."""
    return [
        Direction(deployment.name, sender, bridge.other_end(sender), clients)
        for bridge in deployment.bridges
        for sender in bridge.between
    ]


class Direction:
    """One direction of a bridge, from the gateway Region ``sender`` to ``receiver``."""

    def __init__(self, name: str, sender: str, receiver: str, clients: Clients) -> None:
        self.sender = sender
        self.receiver = receiver
        self.user = Names(name, receiver, account="").courier_user(sender)
        self.secret = Names(name, sender, account="").courier_secret
        self._clients = clients
        self._iam: IAMClient = clients.client("iam", receiver)
        self._secrets: SecretsManagerClient = clients.client("secretsmanager", sender)

    def read(self) -> State:
        """Look at both sides; nothing is changed."""
        with reported(self.receiver, f"user {self.user} can't be read"):
            account, keys = self._read_user()
        with reported(self.sender, f"secret {self.secret} can't be read"):
            stored, problem = self._read_secret()
        return State(account, keys, stored, problem)

    def addresses(self) -> tuple[str, ...] | None:
        """Return the addresses and endpoints that the user's policies let put from; None where they can't be read."""
        found: list[str] = []
        try:
            for name in self._iam.list_user_policies(UserName=self.user)["PolicyNames"]:
                document: Any = self._iam.get_user_policy(UserName=self.user, PolicyName=name)["PolicyDocument"]
                found += _addresses_in(document)
        except (ClientError, BotoCoreError):
            return None
        return tuple(found)

    def perform(self, step: Step, state: State) -> str:
        """Do a step, and return what was done.

        Raises :class:`OperationError`. Then nothing has changed, or the message says what has.
        """
        if step.action is Action.CREATE:
            return self._create(state)
        if step.key is None or state.stored is None:
            raise OperationError(f"{self.receiver}: {self.user}: {step.text}")
        self.try_key(state.stored, state)
        if step.action is Action.DEACTIVATE:
            with reported(self.receiver, f"user {self.user}: the key {step.key.tail} was not deactivated"):
                self._iam.update_access_key(UserName=self.user, AccessKeyId=step.key.id, Status="Inactive")
            return f"deactivated {step.key.tail}; when the bridge works without it: rotate --delete"
        self._delete(step.key.id)
        return f"deleted {step.key.tail}"

    def try_key(self, key: AccessKey, state: State, within_s: float = 0) -> None:
        """Sign GetCallerIdentity, which needs no permission, and compare the account; repeat it for ``within_s``.

        Raises :class:`OperationError` if it is refused to the end, or answers for another account.
        """
        sts = self._clients.client(
            "sts", self.receiver, aws_access_key_id=key.id, aws_secret_access_key=key.secret, aws_session_token=None
        )
        deadline = time.monotonic() + within_s
        while True:
            try:
                with reported(self.receiver, f"the key {_tail(key.id)} is refused"):
                    account = sts.get_caller_identity()["Account"]
                break
            except OperationError:
                if time.monotonic() >= deadline:
                    raise
            time.sleep(_TRY_EVERY_S)
        if account != state.account:
            raise OperationError(f"{self.receiver}: the key {_tail(key.id)} is of another account than the user")

    def _create(self, state: State) -> str:
        with reported(self.receiver, f"user {self.user}: no key was created"):
            made = self._iam.create_access_key(UserName=self.user)["AccessKey"]
        key = AccessKey(made["AccessKeyId"], made["SecretAccessKey"])
        try:
            self.try_key(key, state, TRY_WITHIN_S)
            self._put(key)
        except BaseException as error:
            # An interrupted wait as well: nobody would know the key's secret part any more.
            reason = f"{error}\n" if isinstance(error, OperationError) else ""
            raise OperationError(f"{reason}{self._undo(key)}") from None
        return f"the key {_tail(key.id)} works and is in the secret"

    def _put(self, key: AccessKey) -> None:
        with reported(self.sender, f"secret {self.secret}: the key {_tail(key.id)} was not put"):
            self._secrets.put_secret_value(SecretId=self.secret, SecretString=key.to_text())

    def _undo(self, key: AccessKey) -> str:
        """Delete a key that did not come into the secret, and say so; keep it where that is not certain."""
        try:
            stored, _ = self._read_secret()
        except (ClientError, BotoCoreError):
            return f"{self.sender}: whether the key {_tail(key.id)} is in the secret is unknown; it was kept: check"
        if stored and stored.id == key.id:
            return f"{self.sender}: the key {_tail(key.id)} is in the secret all the same; it was kept: check"
        try:
            self._delete(key.id)
        except OperationError as error:
            return str(error)
        return f"{self.receiver}: the key {_tail(key.id)} was deleted again"

    def _delete(self, key_id: str) -> None:
        with reported(self.receiver, f"user {self.user}: the key {_tail(key_id)} was not deleted; delete it"):
            self._iam.delete_access_key(UserName=self.user, AccessKeyId=key_id)

    def _read_user(self) -> tuple[str | None, tuple[Key, ...]]:
        try:
            account = self._iam.get_user(UserName=self.user)["User"]["Arn"].split(":")[4]
        except self._iam.exceptions.NoSuchEntityException:
            return None, ()
        listed = self._iam.list_access_keys(UserName=self.user)["AccessKeyMetadata"]
        return account, tuple(
            Key(one["AccessKeyId"], one["Status"] == "Active", one["CreateDate"], self._last_used(one["AccessKeyId"]))
            for one in listed
        )

    def _last_used(self, key_id: str) -> datetime | None:
        return self._iam.get_access_key_last_used(AccessKeyId=key_id)["AccessKeyLastUsed"].get("LastUsedDate")

    def _read_secret(self) -> tuple[AccessKey | None, str | None]:
        """Return the value, or why there can be none; neither where it was never put."""
        try:
            described = self._secrets.describe_secret(SecretId=self.secret)
            if "DeletedDate" in described:
                return None, "the secret is being deleted; aws secretsmanager restore-secret"
            text = self._secrets.get_secret_value(SecretId=self.secret).get("SecretString", "")
        except self._secrets.exceptions.ResourceNotFoundException as error:
            missing = error.operation_name == "DescribeSecret"
            return None, "the secret is missing; apply the sender's stack first" if missing else None
        if not text:  # AWS has no version where nothing was put, the local AWS an empty one
            return None, None
        key = AccessKey.parse(text)
        problem = "the secret's value is no key: accepted: JSON with access_key_id and secret_access_key"
        return key, None if key else problem


def _addresses_in(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the values of the conditions on where a request comes from, in a policy's Allow statements."""
    for statement in _listed(document.get("Statement", ())):
        for tests in statement.get("Condition", {}).values() if statement["Effect"] == "Allow" else ():
            for name, values in tests.items():
                if name.lower() in _ADDRESS_CONDITIONS:
                    yield from _listed(values)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
