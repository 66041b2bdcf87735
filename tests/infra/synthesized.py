"""A synthesized deployment, for tests that ask what its resources mean."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domicile.core.partitions import partition_of
from domicile.deployment import Deployment
from domicile.naming import BRIDGE_FUNCTIONS, FUNCTIONS
from infra.artifacts import Artifact
from infra.synthesis import synthesize

GOLDEN = Path(__file__).with_name("golden")
DEPLOYMENT = GOLDEN / "deployment.yaml"
BRIDGED = GOLDEN / "bridge.yaml"
NATIVE = GOLDEN / "native.yaml"

_PARTITION = "${data.aws_partition.partition.partition}"
_ACCOUNT = "${data.aws_caller_identity.account.account_id}"


def stand_in_artifacts(dist: Path) -> dict[str, Artifact]:
    """Write a tiny zip for each function, always the same: no test here depends on the functions' code."""
    artifacts = {}
    for role in (*FUNCTIONS, *BRIDGE_FUNCTIONS):
        with zipfile.ZipFile(dist / f"{role}.zip", "w") as archive:
            archive.writestr(zipfile.ZipInfo("empty"), role)
        artifacts[role] = Artifact(f"{role}.zip", content_sha256="", source_code_hash="code-hash", size=0, files=1)
    return artifacts


def synthesize_stand_ins(deployment: Deployment, folder: Path) -> Path:
    """Synthesize a deployment with the stand-ins into a folder, and return the folder of its stacks."""
    dist = folder / "dist"
    dist.mkdir()
    return synthesize(deployment, stand_in_artifacts(dist), dist, folder / "out") / "stacks"


def synthesize_beijing(folder: Path, bridge: dict[str, Any], **changes: Any) -> Stack:
    """Return the stack of cn-north-1 where the bridge, and the deployment's own keys, are changed."""
    deployment = Deployment.load(BRIDGED)
    bridges = [deployment.bridges[0].model_dump(exclude_none=True) | bridge]
    document = deployment.model_dump(exclude_none=True) | {"bridges": bridges} | changes
    return Stack.read(synthesize_stand_ins(Deployment.model_validate(document), folder), "harbour-cn-north-1")


@dataclass(frozen=True)
class Stack:
    """One Region's configuration; ARNs are given as they are in the account 1234."""

    text: str

    @classmethod
    def read(cls, stacks: Path, name: str) -> Stack:
        """Return the stack of a name, ``harbour-<region>``, below the folder of a synthesis."""
        text = (stacks / name / "cdk.tf.json").read_text(encoding="utf-8")
        partition = partition_of(name.removeprefix("harbour-"))
        return cls(text.replace(_PARTITION, partition).replace(_ACCOUNT, "1234"))

    @property
    def configuration(self) -> dict[str, Any]:
        """The configuration as Terraform reads it."""
        configuration: dict[str, Any] = json.loads(self.text)
        return configuration

    def resources(self, type_: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the resources of a type, as (address, arguments)."""
        for id_, arguments in self.configuration["resource"].get(type_, {}).items():
            yield f"{type_}.{id_}", arguments

    def named(self, type_: str, name: str, key: str = "name") -> dict[str, Any]:
        """Return the only resource of a type with a name."""
        (found,) = [arguments for _, arguments in self.resources(type_) if arguments[key] == name]
        return found

    def resolve(self, reference: str) -> dict[str, Any]:
        """Return the resource that a reference such as ``${type.id.attribute}`` means."""
        type_, id_, _ = reference.removeprefix("${").removesuffix("}").split(".", 2)
        found: dict[str, Any] = self.configuration["resource"][type_][id_]
        return found

    def statements(self, role: str) -> dict[str, Mapping[str, Any]]:
        """Return the statements of all inline policies of an IAM role, by Sid."""
        found = {}
        for _, policy in self.resources("aws_iam_role_policy"):
            if self.resolve(policy["role"])["name"] == role:
                for statement in json.loads(policy["policy"])["Statement"]:
                    assert statement["Sid"] not in found
                    found[statement["Sid"]] = statement
        return found
