package terraform.policies.targets_inside_test

import data.terraform.plan_test
import data.terraform.policies.targets_inside
import rego.v1

test_accepts_a_bus_of_the_other_region if {
	count(targets_inside.deny) == 0 with input.plan as plan_test.of(
		[plan_test.resource(
			"aws_cloudwatch_event_target.t",
			{"arn": "arn:aws:events:us-east-1:111122223333:event-bus/shop"},
		)],
		[],
	)
}

test_denies_a_bus_of_another_account if {
	count(targets_inside.deny) == 1 with input.plan as plan_test.of(
		[plan_test.resource(
			"aws_cloudwatch_event_target.t",
			{"arn": "arn:aws:events:us-east-1:999999999999:event-bus/shop"},
		)],
		[],
	)
}

test_accepts_a_queue_of_this_stack if {
	count(targets_inside.deny) == 0 with input.plan as plan_test.of(
		[plan_test.unknown("aws_cloudwatch_event_target.t", {}, {"arn": true})],
		[["aws_cloudwatch_event_target.t", "arn", "aws_sqs_queue.q.arn"]],
	)
}

test_denies_a_queue_of_who_knows_where if {
	count(targets_inside.deny) == 1 with input.plan as plan_test.of(
		[plan_test.unknown("aws_cloudwatch_event_target.t", {}, {"arn": true})],
		[["aws_cloudwatch_event_target.t", "arn", "data.aws_sqs_queue.q.arn"]],
	)
}

test_accepts_a_topic_that_awss_own_bus_tells if {
	count(targets_inside.deny) == 0 with input.plan as plan_test.of(
		[plan_test.resource("aws_cloudwatch_event_target.t", {"arn": "arn:aws:sns:eu-west-1:111122223333:pilots"})],
		[],
	)
}

test_denies_a_topic_on_another_bus if {
	count(targets_inside.deny) == 1 with input.plan as plan_test.of(
		[plan_test.resource(
			"aws_cloudwatch_event_target.t",
			{"arn": "arn:aws:sns:eu-west-1:111122223333:pilots", "event_bus_name": "shop"},
		)],
		[],
	)
}

test_denies_a_topic_on_a_bus_that_the_plan_does_not_tell if {
	count(targets_inside.deny) == 1 with input.plan as plan_test.of(
		[plan_test.unknown(
			"aws_cloudwatch_event_target.t",
			{"arn": "arn:aws:sns:eu-west-1:111122223333:pilots"},
			{"event_bus_name": true},
		)],
		[],
	)
}

test_denies_a_topic_of_another_account if {
	count(targets_inside.deny) > 0 with input.plan as plan_test.of(
		[plan_test.resource("aws_cloudwatch_event_target.t", {"arn": "arn:aws:sns:eu-west-1:999999999999:pilots"})],
		[],
	)
}
