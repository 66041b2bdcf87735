"""Hypothesis strategies: whatever a DynamoDB item can hold, versions, and changes on their way to other Regions."""

from __future__ import annotations

import base64
from decimal import Decimal

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from domicile.core.control import Image, Value
from domicile.core.events import EVERYWHERE, Addressed, Mutation, Operation
from domicile.core.version import Version

REGIONS = ("ap-south-1", "eu-west-1", "us-east-1")

# A string of DynamoDB is UTF-8, which has no lone surrogates; everything else is allowed, also NUL and U+FFFF.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
# Up to 38 significant digits, of a magnitude between 1E-130 and 9.9E+125.
numbers = st.builds(
    lambda digits, exponent, sign: str(Decimal(f"{sign}{digits}E{exponent}")),
    st.integers(0, 10**38 - 1),
    st.integers(-130, 125 - 37),
    st.sampled_from(["", "-"]),
)
binaries = st.binary(max_size=12).map(lambda data: base64.b64encode(data).decode())

scalars: SearchStrategy[Value] = st.one_of(
    texts.map(lambda text: {"S": text}),
    numbers.map(lambda number: {"N": number}),
    binaries.map(lambda data: {"B": data}),
    st.booleans().map(lambda flag: {"BOOL": flag}),
    st.just({"NULL": True}),
)
# DynamoDB refuses empty sets, sets with an empty member, and sets with equal members, as 1 and 1.0 are.
sets: SearchStrategy[Value] = st.one_of(
    [
        st.fixed_dictionaries({kind: st.lists(members, min_size=1, max_size=4, unique_by=meaning)})
        for kind, members, meaning in (
            ("SS", texts.filter(bool), str),
            ("NS", numbers, Decimal),
            ("BS", binaries.filter(bool), str),
        )
    ]
)


def containers(elements: SearchStrategy[Value]) -> SearchStrategy[Value]:
    """Lists and maps of ``elements``, also empty ones."""
    return st.one_of(
        st.lists(elements, max_size=4).map(lambda members: {"L": members}),
        st.dictionaries(names, elements, max_size=4).map(lambda members: {"M": members}),
    )


values: SearchStrategy[Value] = st.recursive(scalars | sets, containers, max_leaves=12)
"""Every shape of attribute value, nested."""

images: SearchStrategy[Image] = st.dictionaries(names, values, max_size=6)

versions = st.builds(
    lambda ms, plain, tie, region, expired: Version(ms, plain, tie if plain else tie % 10**6, region, expired),
    st.integers(0, 10**15 - 1),
    st.booleans(),
    st.integers(0, 10**40 - 1),
    st.sampled_from(REGIONS),
    st.booleans(),
)


@st.composite
def mutations(draw: st.DrawFn, images: SearchStrategy[Image] = images) -> Mutation:
    """Well-formed changes of any operation, each with the parts that its operation has."""
    operation = draw(st.sampled_from(Operation))
    key = {"pk": {"S": draw(names)}}
    return Mutation(
        operation=operation,
        table="shop-orders",
        key=key,
        version=draw(versions),
        origin=draw(st.sampled_from(REGIONS)),
        home=draw(st.sampled_from(REGIONS)) if operation in (Operation.MOVE, Operation.STUB) else None,
        image=None if operation is Operation.DELETE else draw(images) | key,
    )


def addressed(images: SearchStrategy[Image] = images) -> SearchStrategy[Addressed]:
    """Changes with their destination: one Region, or all."""
    return st.builds(Addressed, st.sampled_from([EVERYWHERE, *((region,) for region in REGIONS)]), mutations(images))
