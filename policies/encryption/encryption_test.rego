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

test_accepts_a_native_table_under_aws_own_key if {
	count(encryption.deny) == 0 with input.plan as plan_test.of(
		[plan_test.resource(
			"aws_dynamodb_table.t",
			{"name": "shop-prices", "server_side_encryption": [{"enabled": false, "kms_key_arn": ""}]},
		)],
		[["aws_dynamodb_table.t", "name", "var.name"]],
	)
}

test_accepts_a_native_tables_replica_without_a_key_of_its_own if {
	count(encryption.deny) == 0 with input.plan as plan_test.of(
		[plan_test.resource(
			"aws_dynamodb_table_replica.r",
			{"global_table_arn": "arn:aws:dynamodb:us-east-1:111122223333:table/shop-prices"},
		)],
		[["aws_dynamodb_table_replica.r", "global_table_arn", "var.table"]],
	)
}

test_denies_a_native_table_under_another_regions_key if {
	count(encryption.deny) == 1 with input.plan as plan_test.of(
		[plan_test.resource(
			"aws_dynamodb_table_replica.r",
			{
				"global_table_arn": "arn:aws:dynamodb:us-east-1:111122223333:table/shop-prices",
				"kms_key_arn": "arn:aws:kms:us-east-1:111122223333:key/k",
			},
		)],
		[],
	)
}

test_denies_a_localized_table_under_aws_own_key if {
	count(encryption.deny) == 1 with input.plan as plan_test.of(
		[plan_test.resource(
			"aws_dynamodb_table.t",
			{"name": "shop-customers", "server_side_encryption": [{"enabled": false}]},
		)],
		[],
	)
}

test_denies_a_localized_table_whose_encryption_is_off if {
	count(encryption.deny) == 1 with input.plan as plan_test.of(
		[plan_test.resource(
			"aws_dynamodb_table.t",
			{"name": "shop-customers", "server_side_encryption": [{
				"enabled": false,
				"kms_key_arn": "arn:aws:kms:eu-west-1:111122223333:key/k",
			}]},
		)],
		[],
	)
}
