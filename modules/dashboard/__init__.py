"""A Region's dashboard in CloudWatch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cdktf_cdktf_provider_aws.cloudwatch_dashboard import CloudwatchDashboard
from constructs import Construct

from domicile.naming import Names
from modules.text import to_json


class Dashboard(Construct):
    """The dashboard of a Region, which its name names: those of all Regions are in one list."""

    def __init__(self, scope: Construct, id_: str, *, names: Names, body: Mapping[str, Any]) -> None:
        super().__init__(scope, id_)
        CloudwatchDashboard(self, "dashboard", dashboard_name=names.dashboard, dashboard_body=to_json(body))
