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
