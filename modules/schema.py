"""The keys and indexes of a table of the deployment file, as Terraform takes them."""

from __future__ import annotations

from collections.abc import Sequence

from cdktf_cdktf_provider_aws.dynamodb_table import DynamodbTableAttribute, DynamodbTableGlobalSecondaryIndex

from domicile.native_table import NativeTable
from domicile.table import Index, Table
from modules.text import literal

PROJECTIONS = {"all": "ALL", "keys-only": "KEYS_ONLY"}
TABLE_CLASSES = {"standard": "STANDARD", "standard-infrequent-access": "STANDARD_INFREQUENT_ACCESS"}


def key_types(keyed: Sequence[Table | NativeTable | Index]) -> dict[str, str]:
    """Return the type of each key attribute, once."""
    return {key.name: key.type for of in keyed for key in (of.hash_key, of.range_key) if key}


def attributes(keyed: Sequence[Table | NativeTable | Index]) -> list[DynamodbTableAttribute]:
    """Return the definition of each key attribute."""
    return [DynamodbTableAttribute(name=literal(name), type=type_) for name, type_ in key_types(keyed).items()]


def global_index(index: Index) -> DynamodbTableGlobalSecondaryIndex:
    """Return the definition of a global secondary index."""
    included = index.projection if isinstance(index.projection, list) else None
    return DynamodbTableGlobalSecondaryIndex(
        name=index.name,
        hash_key=literal(index.hash_key.name),
        range_key=literal(index.range_key.name) if index.range_key else None,
        projection_type="INCLUDE" if isinstance(index.projection, list) else PROJECTIONS[index.projection],
        non_key_attributes=[literal(name) for name in included] if included else None,
    )
