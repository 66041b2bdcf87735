package terraform.policies.principals_inside_test

import data.terraform.plan_test
import data.terraform.policies.principals_inside
import rego.v1

test_accepts_a_service_for_a_rule_of_the_deployment if {
	count(principals_inside.deny) == 0 with input.plan as plan_test.of(
		[plan_test.resource(
			"aws_sqs_queue.q",
			plan_test.policy({
				"Effect": "Allow",
				"Principal": {"Service": "events.amazonaws.com"},
				"Condition": {"ArnEquals": {"aws:SourceArn": ["arn:aws:events:eu-west-1:111122223333:rule/shop/inbox"]}},
			}),
		)],
		[],
	)
}

test_denies_a_service_for_anyone if {
	count(principals_inside.deny) == 1 with input.plan as plan_test.of(
		[plan_test.resource(
			"aws_sqs_queue.q",
			plan_test.policy({"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}}),
		)],
		[],
	)
}

test_denies_everyone if {
	count(principals_inside.deny) == 1 with input.plan as plan_test.of(
		[plan_test.resource("aws_sqs_queue.q", plan_test.policy({"Effect": "Allow", "Principal": "*"}))],
		[],
	)
}

test_accepts_a_denial_of_everyone if {
	count(principals_inside.deny) == 0 with input.plan as plan_test.of(
		[plan_test.resource("aws_sqs_queue.q", plan_test.policy({"Effect": "Deny", "Principal": "*"}))],
		[],
	)
}

test_accepts_a_grant_to_a_role_of_the_account if {
	count(principals_inside.deny) == 0 with input.plan as plan_test.of(
		[
			plan_test.resource("aws_kms_grant.g", {"grantee_principal": "arn:aws:iam::111122223333:role/r"}),
			plan_test.unknown("aws_kms_grant.h", {}, {"grantee_principal": true}),
		],
		[["aws_kms_grant.h", "grantee_principal", "aws_iam_role.r.arn"]],
	)
}

test_denies_a_grant_to_another_account if {
	count(principals_inside.deny) == 1 with input.plan as plan_test.of(
		[plan_test.resource("aws_kms_grant.g", {"grantee_principal": "arn:aws:iam::999999999999:root"})],
		[],
	)
}

test_denies_everyone_on_a_log_group if {
	count(principals_inside.deny) == 1 with input.plan as plan_test.of(
		[plan_test.resource(
			"aws_cloudwatch_log_resource_policy.p",
			{"policy_document": json.marshal({"Statement": [{"Effect": "Allow", "Principal": "*"}]})},
		)],
		[],
	)
}
