package terraform.policies.known_policies_test

import data.terraform.plan_test
import data.terraform.policies.known_policies
import rego.v1

test_accepts_a_policy_that_waits_for_appconfig if {
	count(known_policies.deny) == 0 with input.plan as plan_test.of(
		[plan_test.unknown("aws_iam_role_policy.p", {}, {"policy": true})],
		[["aws_iam_role_policy.p", "policy", "aws_appconfig_application.a.id"]],
	)
}

test_denies_a_policy_that_waits_for_a_bucket if {
	count(known_policies.deny) == 1 with input.plan as plan_test.of(
		[plan_test.unknown("aws_iam_role_policy.p", {}, {"policy": true})],
		[["aws_iam_role_policy.p", "policy", "aws_s3_bucket.b.arn"]],
	)
}

test_accepts_a_policy_that_aws_sets if {
	count(known_policies.deny) == 0 with input.plan as plan_test.of(
		[plan_test.unknown("aws_iam_role_policy.p", {}, {"policy": true})],
		[],
	)
}
