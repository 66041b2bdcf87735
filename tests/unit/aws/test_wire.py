from __future__ import annotations

import copy
import json

from boto3.dynamodb.types import TypeDeserializer
from botocore.session import Session
from botocore.validate import ParamValidator
from hypothesis import given

from domicile.aws.wire import from_boto, to_boto
from domicile.core.control import Image
from tests.strategies import images

MODEL = Session().get_service_model("dynamodb").operation_model("PutItem").input_shape


@given(images)
def test_an_image_survives_the_way_to_a_client_and_back(image: Image) -> None:
    assert from_boto(to_boto(image)) == image


@given(images)
def test_a_client_accepts_every_image(image: Image) -> None:
    assert MODEL is not None
    report = ParamValidator().validate({"TableName": "shop-orders", "Item": to_boto(image)}, MODEL)
    assert not report.has_errors(), report.generate_report()


@given(images)
def test_the_core_s_images_are_json_and_neither_way_changes_what_it_is_given(image: Image) -> None:
    before = copy.deepcopy(image)
    item = to_boto(image)
    returned = copy.deepcopy(item)
    assert json.loads(json.dumps(from_boto(item))) == image
    assert (image, item) == (before, returned)


def test_binary_is_bytes_for_a_client_and_base64_for_the_core_at_any_depth() -> None:
    image: Image = {"a": {"B": "AP8="}, "b": {"BS": ["AA=="]}, "c": {"L": [{"M": {"d": {"B": "AQ=="}}}]}}
    item = {"a": {"B": b"\x00\xff"}, "b": {"BS": [b"\x00"]}, "c": {"L": [{"M": {"d": {"B": b"\x01"}}}]}}
    assert to_boto(image) == item
    assert from_boto(item) == image


def test_numbers_stay_the_text_that_dynamodb_gives() -> None:
    digits = "0." + "1" * 38
    item = to_boto({"n": {"N": digits}})
    assert item == {"n": {"N": digits}}
    assert str(TypeDeserializer().deserialize(item["n"])) == digits
