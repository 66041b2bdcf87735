"""The deployment file: one YAML file that is the whole configuration.

Each field's description says what is accepted: editors show it (:meth:`Deployment.json_schema`) and errors quote it.
All problems of a file are reported at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator, model_validator

from domicile import strict_yaml
from domicile.bridge import Bridge, bridge_problems
from domicile.core import policy
from domicile.errors import UserError
from domicile.model import Model, Problem, described, one_of, refuse
from domicile.naming import Names, name_problems
from domicile.native_table import NativeTable, native_problems, stacks_before
from domicile.table import Table
from domicile.tags import TAGS, Tags

_POLICY_BYTES_MAX = 2_000_000  # AppConfig's hosted configuration store
_WORKSPACE_TAGS_MAX = 20
_CROSSING = {"between", "global_items", "stubs"}  # what the functions must know of a bridge

_REGION = (
    r"^(af|ap|ca|cn|eu|il|me|mx|sa|us)-(central|north|northeast|northwest|south|southeast|southwest|east|west)-[1-9]$"
)
_AUTHORITY = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
_TABLE = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
_ONE_REGION = "a Region of the partitions aws and aws-cn, such as eu-west-1"

RegionName = Annotated[str, Field(pattern=_REGION)]
LogRetentionDays = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]


class DeploymentError(UserError):
    """The deployment file can't be used; ``problems`` has a line for everything that is wrong with it."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class LocalBackend(Model):
    """Terraform's state in the working folder: to try, not to run."""

    kind: Literal["local"] = Field(description="local, s3 or cloud")


class S3Backend(Model):
    """Terraform's state in an S3 bucket, one object per Region's stack under ``key_prefix``."""

    kind: Literal["s3"] = Field(description="local, s3 or cloud")
    bucket: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", description="the name of an S3 bucket")
    region: RegionName = Field(description=_ONE_REGION)
    key_prefix: str = Field(
        "",
        pattern=r"^([A-Za-z0-9!_.*'()-][A-Za-z0-9!_.*'()/-]{0,511})?$",
        description="what the state objects' keys begin with: up to 512 letters, digits and !_.*'()-/, no slash first",
    )
    kms_key_id: str | None = Field(None, min_length=1, description="the ID, ARN or alias of a KMS key")
    lockfile: bool = Field(True, description="true (a lock object beside the state, Terraform 1.10 or later) or false")


class CloudBackend(Model):
    """Terraform Cloud or Enterprise, one workspace per Region's stack, named after it."""

    kind: Literal["cloud"] = Field(description="local, s3 or cloud")
    organization: str = Field(
        pattern=r"^[A-Za-z0-9_-]{1,40}$",
        description="the organization's name: up to 40 letters, digits, hyphens and underscores",
    )
    hostname: str = Field(
        "app.terraform.io",
        pattern=r"^([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z0-9-]+(:[0-9]{1,5})?$",
        description="the host of Terraform Cloud or Enterprise, such as app.terraform.io, without https://",
    )
    project: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_ -]{3,40}$",
        description="the name of a project in the organization: 3 to 40 letters, digits, spaces, hyphens, underscores",
    )
    tags: list[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9:_-]{0,254}$")]] = Field(
        [],
        max_length=_WORKSPACE_TAGS_MAX,
        description=f"at most {_WORKSPACE_TAGS_MAX} tags of the workspaces: lower-case letters, digits and :_-",
    )


AnyBackend = LocalBackend | S3Backend | CloudBackend
_BACKENDS: Mapping[str, type[Model]] = {"local": LocalBackend, "s3": S3Backend, "cloud": CloudBackend}
Backend = Annotated[AnyBackend, one_of("kind", _BACKENDS)]


def _region_of_the_deployment(region: str, info: ValidationInfo) -> str:
    regions = info.data.get("regions")
    if regions is not None and region not in regions:
        refuse([Problem(f"{region} is not a Region of this deployment", ", ".join(regions))])
    return region


def _table_name(table: str, info: ValidationInfo) -> str:
    if table.endswith("-ledger"):
        refuse([Problem("could be another table's ledger", "a name that doesn't end in -ledger")])
    if "name" in info.data:
        refuse(Problem(text, accepted) for text, accepted in name_problems(info.data["name"], tables=[table]))
    return table


AnyTable = Table | NativeTable
_TABLES: Mapping[str, type[Model]] = {"localized": Table, "native": NativeTable}


def _native(tables: Mapping[str, AnyTable]) -> dict[str, NativeTable]:
    return {name: table for name, table in tables.items() if isinstance(table, NativeTable)}


class Deployment(Model):
    """The whole deployment file."""

    name: str = Field(
        pattern=r"^[a-z][a-z0-9-]{0,22}[a-z0-9]$",
        description="the prefix of every resource, 2 to 24 characters: lower-case letters, digits and hyphens, a "
        "letter first and no hyphen last",
    )
    regions: list[RegionName] = Field(
        min_length=2,
        description="two or more different Regions of the partitions aws and aws-cn, such as eu-west-1 and cn-north-1",
    )
    authorities: dict[
        Annotated[str, Field(pattern=_AUTHORITY)], Annotated[str, AfterValidator(_region_of_the_deployment)]
    ] = Field(
        min_length=1,
        description="authority (1 to 64 letters, digits, hyphens, underscores and dots) -> a Region of this deployment",
    )
    tables: dict[
        Annotated[str, Field(pattern=_TABLE), AfterValidator(_table_name)],
        Annotated[AnyTable, one_of("replication", _TABLES, default="localized")],
    ] = Field(
        min_length=1, description="one or more tables: name (letters, digits, hyphens, underscores and dots) -> mapping"
    )
    bridges: list[Bridge] = Field(
        [], description="where the Regions lie in two partitions, the bridge between them: {between: [...], ...}"
    )
    alarm_topic: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_-]{1,256}$",
        description="the name of an SNS topic that exists in each Region, which alarms notify",
    )
    backend: Backend = Field(
        LocalBackend(kind="local"),
        description="{kind: local}, {kind: s3, bucket, region, ...} or {kind: cloud, organization, ...}",
    )
    encryption: Literal["customer-managed", "aws-owned"] = Field(
        "customer-managed", description="customer-managed (a KMS key per Region) or aws-owned"
    )
    log_retention_days: LogRetentionDays = Field(
        365, description=" | ".join(str(days) for days in get_args(LogRetentionDays))
    )
    tags: Tags = Field({}, description=TAGS)

    @field_validator("name")
    @classmethod
    def _name_is_free(cls, name: str) -> str:
        if name == "default":
            refuse([Problem("is the name of the event bus that AWS makes in each Region", "any other name")])
        return name

    @field_validator("regions")
    @classmethod
    def _regions_differ(cls, regions: list[str], info: ValidationInfo) -> list[str]:
        repeated = ((position, region) for position, region in enumerate(regions) if region in regions[:position])
        refuse(Problem(f"{region} is given twice", "each Region once", (position,)) for position, region in repeated)
        if "name" in info.data:
            refuse(Problem(text, accepted) for text, accepted in name_problems(info.data["name"], regions=regions))
        return regions

    @field_validator("tables")
    @classmethod
    def _tables_fit(cls, tables: dict[str, AnyTable], info: ValidationInfo) -> dict[str, AnyTable]:
        if not any(isinstance(table, Table) for table in tables.values()):
            text = "are all native, and Domicile would run for nothing"
            refuse([Problem(text, "at least one localized table")])
        if "regions" not in info.data:
            return tables
        regions: list[str] = info.data["regions"]
        spread = {name: t.spread(regions) if isinstance(t, NativeTable) else t for name, t in tables.items()}
        refuse(native_problems(_native(spread), regions))
        return spread

    @field_validator("bridges")
    @classmethod
    def _bridges_reach(cls, bridges: list[Bridge], info: ValidationInfo) -> list[Bridge]:
        if "regions" in info.data:
            refuse(bridge_problems(bridges, info.data))
        return bridges

    @field_validator("encryption")
    @classmethod
    def _each_region_has_the_key(cls, encryption: str, info: ValidationInfo) -> str:
        if encryption == "aws-owned":
            tables = _native(info.data.get("tables", {}))
            of = [name for name, table in tables.items() if table.encryption == "customer-managed"]
            text = "can't be aws-owned beside a native table of customer-managed: no Region would have a key"
            refuse(Problem(f"{text} for {name}", "customer-managed") for name in of)
        return encryption

    @model_validator(mode="after")
    def _stacks_have_an_order(self) -> Self:
        try:
            TopologicalSorter(stacks_before(self.native)).prepare()
        except CycleError as cycle:
            text = f"need each other's native tables or keys in a circle: {' -> '.join(cycle.args[1])}"
            accepted = "primaries without a circle, such as one for all native tables"
            refuse([Problem(text, accepted, ("tables",))])
        return self

    @model_validator(mode="after")
    def _policy_fits_appconfig(self) -> Self:
        size = len(json.dumps(self.policy_document()))
        if size > _POLICY_BYTES_MAX:
            text = f"make a policy of {size} bytes"
            refuse([Problem(text, f"at most {_POLICY_BYTES_MAX} bytes, AppConfig's limit", ("tables",))])
        return self

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a deployment file, or raise :class:`DeploymentError` that lists all of its problems."""
        try:
            document, problems = strict_yaml.load(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise DeploymentError([f"{path}: {error.strerror}; accepted: a deployment file"]) from error
        except UnicodeDecodeError as error:
            raise DeploymentError([f"{path}: is not text; accepted: YAML in UTF-8"]) from error
        except strict_yaml.YamlError as error:
            raise DeploymentError([f"{path}: {error}; accepted: YAML"]) from error
        try:
            deployment = cls.model_validate(document)
        except ValidationError as error:
            problems += described(error)
        if problems:
            raise DeploymentError([f"{path}: {problem}" for problem in problems])
        return deployment

    def policy_document(self) -> dict[str, Any]:
        """Return the document that AppConfig carries to functions and clients, the same in every Region."""
        names = Names(self.name, region="", account="")
        native = {
            names.table(name): {"regions": table.regions, "consistency": table.consistency}
            for name, table in self.native.items()
        }
        return {
            "format": policy.FORMAT,
            "regions": sorted(self.regions),
            "authorities": self.authorities,
            **({"bridges": [bridge.model_dump(include=_CROSSING) for bridge in self.bridges]} if self.bridges else {}),
            **({"native": native} if native else {}),
            "tables": {
                names.table(name): {
                    "ledger": names.ledger(name),
                    "hash_key": table.hash_key.name,
                    **({"range_key": table.range_key.name} if table.range_key else {}),
                    "authority_attribute": table.authority_attribute,
                    "control_attribute": table.control_attribute,
                    "sensitive": {
                        path: strategy.model_dump(exclude_none=True) for path, strategy in table.sensitive.items()
                    },
                    "directory": table.directory,
                    "writers": table.writers,
                }
                for name, table in self.localized.items()
            },
        }

    @property
    def localized(self) -> dict[str, Table]:
        """The tables that Domicile replicates."""
        return {name: table for name, table in self.tables.items() if isinstance(table, Table)}

    @property
    def native(self) -> dict[str, NativeTable]:
        """The tables that DynamoDB replicates, with their Regions and their encryption named."""
        tables = _native(self.tables)
        return {
            name: table.model_copy(update={"encryption": table.encryption or self.encryption})
            for name, table in tables.items()
        }

    def as_localized(self, name: str) -> Table:
        """Return a table as Domicile replicates it, or would if it were not native."""
        table = self.tables[name]
        return table.as_localized() if isinstance(table, NativeTable) else table

    def bridge_of(self, region: str) -> Bridge | None:
        """Return the bridge that a Region is a gateway of; a Region has at most one."""
        return next((bridge for bridge in self.bridges if region in bridge.between), None)

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Return the JSON Schema of the file, for editors."""
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **cls.model_json_schema()}
