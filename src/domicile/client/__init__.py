"""The application's library: boto3's ``Table``, for tables whose items may live in another Region.

::

    from domicile.client import Client

    orders = Client("shopease", region="eu-west-1").table("orders")
    orders.put_item(Item={"order_id": "1", "localization_authority": "IN", "name": "..."})
"""

from domicile.client.client import Client, Table
from domicile.client.errors import (
    AnswerLost,
    DomicileClientError,
    HomeRegionUnavailable,
    RegionsUnavailable,
    SessionBehind,
    TooManyRedirects,
    UnsafeOperation,
    WriteContention,
)
from domicile.client.events import Event
from domicile.client.items import Item
from domicile.client.options import Options

__all__ = [
    "AnswerLost",
    "Client",
    "DomicileClientError",
    "Event",
    "HomeRegionUnavailable",
    "Item",
    "Options",
    "RegionsUnavailable",
    "SessionBehind",
    "Table",
    "TooManyRedirects",
    "UnsafeOperation",
    "WriteContention",
]
