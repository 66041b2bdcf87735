package terraform.policies.no_archive_test

import data.terraform.plan_test
import data.terraform.policies.no_archive
import rego.v1

test_denies_an_archive if {
	count(no_archive.deny) == 1 with input.plan as plan_test.of(
		[plan_test.resource("aws_cloudwatch_event_archive.a", {})],
		[],
	)
}

test_accepts_a_bus if {
	count(no_archive.deny) == 0 with input.plan as plan_test.of(
		[plan_test.resource("aws_cloudwatch_event_bus.b", {})],
		[],
	)
}

test_denies_a_subscription_to_all_logs_of_the_account if {
	count(no_archive.deny) == 1 with input.plan as plan_test.of(
		[plan_test.resource("aws_cloudwatch_log_account_policy.p", {"policy_type": "SUBSCRIPTION_FILTER_POLICY"})],
		[],
	)
}

test_accepts_a_protection_of_all_logs_of_the_account if {
	count(no_archive.deny) == 0 with input.plan as plan_test.of(
		[plan_test.resource("aws_cloudwatch_log_account_policy.p", {"policy_type": "DATA_PROTECTION_POLICY"})],
		[],
	)
}
