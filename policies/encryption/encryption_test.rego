package terraform.policies.encryption_test

import data.terraform.plan_test
import data.terraform.policies.encryption
import rego.v1

test_accepts_a_queue_under_the_key_of_this_stack if {
	count(encryption.deny) == 0 with input.plan as plan_test.of(
		[plan_test.unknown("aws_sqs_queue.q", {}, {"kms_master_key_id": true})],
		[["aws_sqs_queue.q", "kms_master_key_id", "aws_kms_key.k.arn"]],
	)
}

test_denies_a_queue_under_sqs_own_key if {
	count(encryption.deny) == 1 with input.plan as plan_test.of(
		[plan_test.resource("aws_sqs_queue.q", {"kms_master_key_id": null, "sqs_managed_sse_enabled": true})],
		[],
	)
}

test_denies_a_queue_under_another_regions_key if {
	count(encryption.deny) == 1 with input.plan as plan_test.of(
		[plan_test.resource("aws_sqs_queue.q", {"kms_master_key_id": "arn:aws:kms:us-east-1:111122223333:key/k"})],
		[],
	)
}
