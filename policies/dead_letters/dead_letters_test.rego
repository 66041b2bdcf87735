package terraform.policies.dead_letters_test

import data.terraform.plan_test
import data.terraform.policies.dead_letters
import rego.v1

test_accepts_a_target_with_a_queue_of_this_stack if {
	count(dead_letters.deny) == 0 with input.plan as plan_test.of(
		[plan_test.unknown(
			"aws_cloudwatch_event_target.t",
			{"dead_letter_config": [{}]},
			{"dead_letter_config": [{"arn": true}]},
		)],
		[["aws_cloudwatch_event_target.t", "dead_letter_config", "aws_sqs_queue.q.arn"]],
	)
}

test_denies_a_target_without if {
	count(dead_letters.deny) == 1 with input.plan as plan_test.of(
		[plan_test.resource("aws_cloudwatch_event_target.t", {"dead_letter_config": []})],
		[],
	)
}

test_accepts_a_notice_of_awss_own_bus_without if {
	count(dead_letters.deny) == 0 with input.plan as plan_test.of(
		[plan_test.resource(
			"aws_cloudwatch_event_target.t",
			{"arn": "arn:aws:sns:eu-west-1:111122223333:pilots", "dead_letter_config": []},
		)],
		[],
	)
}

consumed_by(address, redrive) := [
	plan_test.resource("aws_sqs_queue.q", redrive),
	plan_test.unknown(address, {}, {"event_source_arn": true}),
]

test_accepts_the_instance_of_a_mapping_whose_queue_has_dead_letters if {
	letters := json.marshal({"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:111122223333:letters"})
	count(dead_letters.deny) == 0 with input.plan as plan_test.of(
		consumed_by("aws_lambda_event_source_mapping.m[0]", {"redrive_policy": letters}),
		[["aws_lambda_event_source_mapping.m", "event_source_arn", "aws_sqs_queue.q"]],
	)
}

test_denies_the_instance_of_a_mapping_whose_queue_has_none if {
	count(dead_letters.deny) == 1 with input.plan as plan_test.of(
		consumed_by("aws_lambda_event_source_mapping.m[0]", {"redrive_policy": ""}),
		[["aws_lambda_event_source_mapping.m", "event_source_arn", "aws_sqs_queue.q"]],
	)
}

test_denies_a_mapping_of_a_queue_that_is_looked_up if {
	count(dead_letters.deny) == 1 with input.plan as plan_test.of(
		consumed_by("aws_lambda_event_source_mapping.m", {}),
		[["aws_lambda_event_source_mapping.m", "event_source_arn", "data.aws_sqs_queue.q"]],
	)
}
