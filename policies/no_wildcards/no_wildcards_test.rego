package terraform.policies.no_wildcards_test

import data.terraform.plan_test
import data.terraform.policies.no_wildcards
import rego.v1

test_accepts_an_action_on_a_queue if {
	count(no_wildcards.deny) == 0 with input.plan as plan_test.of(
		[plan_test.resource(
			"aws_iam_role_policy.p",
			plan_test.policy({
				"Effect": "Allow",
				"Action": "sqs:SendMessage",
				"Resource": "arn:aws:sqs:eu-west-1:111122223333:q",
			}),
		)],
		[],
	)
}

test_denies_every_action_of_a_service if {
	count(no_wildcards.deny) == 1 with input.plan as plan_test.of(
		[plan_test.resource(
			"aws_iam_role_policy.p",
			plan_test.policy({
				"Effect": "Allow",
				"Action": "sqs:*",
				"Resource": "arn:aws:sqs:eu-west-1:111122223333:q",
			}),
		)],
		[],
	)
}

test_denies_every_queue if {
	count(no_wildcards.deny) == 1 with input.plan as plan_test.of(
		[plan_test.resource(
			"aws_iam_role_policy.p",
			plan_test.policy({"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}),
		)],
		[],
	)
}

test_accepts_traces_which_have_no_resource if {
	count(no_wildcards.deny) == 0 with input.plan as plan_test.of(
		[plan_test.resource(
			"aws_iam_role_policy.p",
			plan_test.policy({"Effect": "Allow", "Action": ["xray:PutTraceSegments"], "Resource": ["*"]}),
		)],
		[],
	)
}

test_denies_a_policy_of_awss_among_a_roles_own if {
	count(no_wildcards.deny) == 1 with input.plan as plan_test.of(
		[plan_test.resource(
			"aws_iam_role.r",
			{"managed_policy_arns": ["arn:aws:iam::aws:policy/AdministratorAccess"]},
		)],
		[],
	)
}

test_accepts_a_role_without_policies_of_its_own if {
	count(no_wildcards.deny) == 0 with input.plan as plan_test.of(
		[plan_test.unknown("aws_iam_role.r", {}, {"managed_policy_arns": true})],
		[["aws_iam_role.r", "name", "var.name"]],
	)
}

test_accepts_an_attached_policy_of_this_stack if {
	count(no_wildcards.deny) == 0 with input.plan as plan_test.of(
		[plan_test.unknown("aws_iam_role_policy_attachment.a", {}, {"policy_arn": true})],
		[["aws_iam_role_policy_attachment.a", "policy_arn", "aws_iam_policy.p.arn"]],
	)
}

test_denies_an_attached_policy_that_is_looked_up if {
	count(no_wildcards.deny) == 1 with input.plan as plan_test.of(
		[plan_test.unknown("aws_iam_role_policy_attachment.a", {}, {"policy_arn": true})],
		[["aws_iam_role_policy_attachment.a", "policy_arn", "data.aws_iam_policy.p.arn"]],
	)
}
