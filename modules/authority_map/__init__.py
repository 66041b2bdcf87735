"""The policy document (authority map, sensitive attributes, strategies) in AppConfig."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cdktf import TerraformResourceLifecycle, Token
from cdktf_cdktf_provider_aws.appconfig_application import AppconfigApplication
from cdktf_cdktf_provider_aws.appconfig_configuration_profile import (
    AppconfigConfigurationProfile,
    AppconfigConfigurationProfileValidator,
)
from cdktf_cdktf_provider_aws.appconfig_deployment import AppconfigDeployment
from cdktf_cdktf_provider_aws.appconfig_deployment_strategy import AppconfigDeploymentStrategy
from cdktf_cdktf_provider_aws.appconfig_environment import AppconfigEnvironment
from cdktf_cdktf_provider_aws.appconfig_hosted_configuration_version import AppconfigHostedConfigurationVersion
from constructs import Construct

from domicile.naming import Names
from modules.policy import Statement, allow
from modules.text import literal, to_json

SCHEMA = Path(__file__).with_name("policy.schema.json")


@dataclass(frozen=True)
class Rollout:
    """How a new document reaches the functions: over so many minutes, in steps of so many percent."""

    minutes: int
    step_percent: int


AT_ONCE = Rollout(minutes=0, step_percent=100)
GRADUAL = Rollout(minutes=10, step_percent=20)


def read_policy(configuration_arn: str) -> Statement:
    """Return what lets a role read the deployed document."""
    actions = ["appconfig:StartConfigurationSession", "appconfig:GetLatestConfiguration"]
    return allow("ReadPolicy", actions, [configuration_arn])


class AuthorityMap(Construct):
    """The application, environment and profile of ``Names.policy_path``, and the deployment of a document.

    The first document is deployed at once, because until then the functions have none to fall back on; that
    deployment is never repeated. Each document, the first too, is then rolled out gradually. The provider retries
    the second deployment until the first is over.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        document: Mapping[str, Any],
        rollout: Rollout = GRADUAL,
    ) -> None:
        super().__init__(scope, id_)
        application, environment, profile = names.policy_path.split("/")
        self._names = names
        self._application = AppconfigApplication(self, "application", name=application)
        self._environment = AppconfigEnvironment(
            self, "environment", name=environment, application_id=self._application.id
        )
        self._profile = self._configuration_profile(profile)
        version = AppconfigHostedConfigurationVersion(
            self,
            "version",
            application_id=self._application.id,
            configuration_profile_id=self._profile.configuration_profile_id,
            content_type="application/json",
            content=literal(to_json(document)),
            # A version can't be changed: the next one is made before this one is deleted.
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        )
        first = self._deploy("first", version, AT_ONCE, lifecycle=TerraformResourceLifecycle(ignore_changes="all"))
        self._deploy("current", version, rollout, depends_on=[first])

    @property
    def configuration_arn(self) -> str:
        """The ARN by which AppConfig's data plane knows the deployed document."""
        path = f"application/{self._application.id}/environment/{self._environment.environment_id}"
        profile = f"configuration/{self._profile.configuration_profile_id}"
        names = self._names
        return f"arn:{names.partition}:appconfig:{names.region}:{names.account}:{path}/{profile}"

    def _configuration_profile(self, name: str) -> AppconfigConfigurationProfile:
        schema = to_json(json.loads(SCHEMA.read_text(encoding="utf-8")))
        return AppconfigConfigurationProfile(
            self,
            "profile",
            name=name,
            application_id=self._application.id,
            location_uri="hosted",
            type="AWS.Freeform",
            validator=[AppconfigConfigurationProfileValidator(type="JSON_SCHEMA", content=literal(schema))],
        )

    def _deploy(
        self,
        id_: str,
        version: AppconfigHostedConfigurationVersion,
        rollout: Rollout,
        *,
        depends_on: Sequence[AppconfigDeployment] | None = None,
        lifecycle: TerraformResourceLifecycle | None = None,
    ) -> AppconfigDeployment:
        strategy = AppconfigDeploymentStrategy(
            self,
            f"{id_}-strategy",
            name=f"{self._names.name}-{id_}",
            deployment_duration_in_minutes=rollout.minutes,
            growth_factor=rollout.step_percent,
            # A bake time is for alarms that roll back, and the functions keep the last good document by themselves.
            final_bake_time_in_minutes=0,
            replicate_to="NONE",
        )
        return AppconfigDeployment(
            self,
            id_,
            application_id=self._application.id,
            environment_id=self._environment.environment_id,
            configuration_profile_id=self._profile.configuration_profile_id,
            configuration_version=Token.as_string(version.version_number),
            deployment_strategy_id=strategy.id,
            depends_on=depends_on,
            lifecycle=lifecycle,
        )
