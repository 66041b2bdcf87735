"""From the Python values and conditions of boto3's ``Table`` to its client's DynamoDB JSON and text, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from boto3.dynamodb.conditions import ConditionBase, ConditionExpressionBuilder
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from domicile.client.expressions import Parameters
from domicile.client.items import Item

_serialize: Callable[[Any], Any] = TypeSerializer().serialize
_deserialize: Callable[[Any], Any] = TypeDeserializer().deserialize

_IMAGES = ("Item", "Key", "ExclusiveStartKey", "ExpressionAttributeValues")
_CONDITIONS = {"KeyConditionExpression": True, "ConditionExpression": False, "FilterExpression": False}


def to_wire(arguments: Mapping[str, Any]) -> Parameters:
    """Return a call's arguments as a boto3 client takes them."""
    parameters = dict(arguments)
    for name in _IMAGES:
        if name in parameters:
            parameters[name] = image_to_wire(parameters[name])
    _spell_conditions(parameters)
    return parameters


def image_to_wire(image: Mapping[str, Any]) -> dict[str, Any]:
    """Return Python values in DynamoDB JSON; what DynamoDB cannot hold is a TypeError, as in boto3."""
    if not isinstance(image, Mapping):
        return image  # which botocore refuses
    return {name: _serialize(value) for name, value in image.items()}


def image_from_wire(image: Mapping[str, Any]) -> dict[str, Any]:
    """Return DynamoDB JSON as Python values."""
    return {name: _deserialize(value) for name, value in image.items()}


def item_from_wire(item: Item) -> Item:
    """Return a read item with Python values."""
    return Item(image_from_wire(item), is_stub=item.is_stub, home_region=item.home_region)


def from_wire(response: Parameters) -> Parameters:
    """Turn the images of a response into Python values."""
    if "Item" in response:
        response["Item"] = item_from_wire(response["Item"])
    if "Items" in response:
        response["Items"] = [item_from_wire(item) for item in response["Items"]]
    for name in ("Attributes", "LastEvaluatedKey"):
        if name in response:
            response[name] = image_from_wire(response[name])
    if metrics := response.get("ItemCollectionMetrics"):
        metrics["ItemCollectionKey"] = image_from_wire(metrics["ItemCollectionKey"])
    return response


def requests_to_wire(request_items: Mapping[str, Any]) -> Parameters:
    """Return the ``RequestItems`` of BatchGetItem or BatchWriteItem as a boto3 client takes them."""
    return {name: _request_to_wire(requests) for name, requests in request_items.items()}


def _request_to_wire(requests: Any) -> Any:
    if isinstance(requests, Mapping):
        return {**requests, "Keys": [image_to_wire(key) for key in requests["Keys"]]}
    return [
        {kind: {part: image_to_wire(image) for part, image in body.items()} for kind, body in request.items()}
        for request in requests
    ]


def batch_from_wire(response: Parameters) -> Parameters:
    """Turn the images of a batch's response into Python values."""
    for items in response.get("Responses", {}).values():
        items[:] = [item_from_wire(item) for item in items]
    for request in response.get("UnprocessedKeys", {}).values():
        request["Keys"] = [image_from_wire(key) for key in request["Keys"]]
    for requests in response.get("UnprocessedItems", {}).values():
        requests[:] = [
            {kind: {part: image_from_wire(image) for part, image in body.items()} for kind, body in request.items()}
            for request in requests
        ]
    return response


def _spell_conditions(parameters: Parameters) -> None:
    """Replace condition objects by expressions; one builder numbers the placeholders of all of them."""
    builder = None
    for name, is_key in _CONDITIONS.items():
        condition = parameters.get(name)
        if not isinstance(condition, ConditionBase):
            continue
        builder = builder or ConditionExpressionBuilder()
        built = builder.build_expression(condition, is_key_condition=is_key)
        parameters[name] = built.condition_expression
        parameters["ExpressionAttributeNames"] = {
            **(parameters.get("ExpressionAttributeNames") or {}),
            **built.attribute_name_placeholders,
        }
        if built.attribute_value_placeholders:
            parameters["ExpressionAttributeValues"] = {
                **(parameters.get("ExpressionAttributeValues") or {}),
                **image_to_wire(built.attribute_value_placeholders),
            }
