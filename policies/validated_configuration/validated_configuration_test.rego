package terraform.policies.validated_configuration_test

import data.terraform.plan_test
import data.terraform.policies.validated_configuration
import rego.v1

test_accepts_a_profile_with_a_schema if {
	count(validated_configuration.deny) == 0 with input.plan as plan_test.of(
		[plan_test.resource("aws_appconfig_configuration_profile.p", {"validator": [{"type": "JSON_SCHEMA"}]})],
		[],
	)
}

test_denies_a_profile_without if {
	count(validated_configuration.deny) == 1 with input.plan as plan_test.of(
		[plan_test.resource("aws_appconfig_configuration_profile.p", {"validator": []})],
		[],
	)
}
