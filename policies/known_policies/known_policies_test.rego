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
		[["aws_iam_role_policy.p", "role", "aws_iam_role.r.id"]],
	)
}

test_denies_the_policy_of_an_instance if {
	count(known_policies.deny) == 1 with input.plan as plan_test.of(
		[plan_test.unknown("aws_sqs_queue_policy.p[0]", {}, {"policy": true})],
		[["aws_sqs_queue_policy.p", "policy", "aws_s3_bucket.b.arn"]],
	)
}

test_denies_the_policy_of_a_module if {
	module := object.union(
		plan_test.unknown("aws_sqs_queue_policy.p", {}, {"policy": true}),
		{"address": "module.m.aws_sqs_queue_policy.p"},
	)
	count(known_policies.deny) == 1 with input.plan as plan_test.of([module], [])
}

test_denies_a_policy_that_names_the_account_alone if {
	count(known_policies.deny) == 1 with input.plan as plan_test.of(
		[plan_test.unknown("aws_iam_role_policy.p", {}, {"policy": true})],
		[["aws_iam_role_policy.p", "policy", "data.aws_caller_identity.a.account_id"]],
	)
}

test_denies_a_policy_that_is_none if {
	count(known_policies.deny) == 1 with input.plan as plan_test.of(
		[plan_test.resource("aws_sqs_queue_policy.p", plan_test.policy({"effect": "Allow", "Principal": "*"}))],
		[],
	)
}
