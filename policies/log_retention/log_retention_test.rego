package terraform.policies.log_retention_test

import data.terraform.plan_test
import data.terraform.policies.log_retention
import rego.v1

test_accepts_a_month if {
	count(log_retention.deny) == 0 with input.plan as plan_test.of(
		[plan_test.resource("aws_cloudwatch_log_group.g", {"retention_in_days": 30})],
		[],
	)
}

test_denies_for_ever if {
	count(log_retention.deny) == 1 with input.plan as plan_test.of(
		[plan_test.resource("aws_cloudwatch_log_group.g", {"retention_in_days": 0})],
		[],
	)
}

test_denies_unset if {
	count(log_retention.deny) == 1 with input.plan as plan_test.of(
		[plan_test.resource("aws_cloudwatch_log_group.g", {"retention_in_days": null})],
		[],
	)
}
