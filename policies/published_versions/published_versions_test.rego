package terraform.policies.published_versions_test

import data.terraform.plan_test
import data.terraform.policies.published_versions
import rego.v1

test_accepts_an_alias_of_a_version if {
	count(published_versions.deny) == 0 with input.plan as plan_test.of(
		[plan_test.resource("aws_lambda_alias.live", {"function_version": "7"})],
		[],
	)
}

test_denies_an_alias_of_latest if {
	count(published_versions.deny) == 1 with input.plan as plan_test.of(
		[plan_test.resource("aws_lambda_alias.live", {"function_version": "$LATEST"})],
		[],
	)
}

test_accepts_an_alias_of_the_version_to_come if {
	count(published_versions.deny) == 0 with input.plan as plan_test.of(
		[plan_test.unknown("aws_lambda_alias.live", {}, {"function_version": true})],
		[["aws_lambda_alias.live", "function_version", "aws_lambda_function.f.version"]],
	)
}
