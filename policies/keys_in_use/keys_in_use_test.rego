package terraform.policies.keys_in_use_test

import data.terraform.plan_test
import data.terraform.policies.keys_in_use
import rego.v1

arn := "arn:aws:kms:eu-west-1:111122223333:key/k"

# A resource that there is already.
planned(address, actions, before, after) := {
	"address": address,
	"mode": "managed",
	"type": split(address, ".")[0],
	"change": {"actions": actions, "before": before, "after": after, "after_unknown": {}},
}

replica := {"global_table_arn": "arn:aws:dynamodb:us-east-1:111122223333:table/shop-prices", "kms_key_arn": arn}

test_denies_a_deleted_key_while_a_replica_needs_it if {
	count(keys_in_use.deny) == 1 with input.plan as plan_test.of(
		[
			planned("aws_kms_key.k", ["delete"], {"arn": arn}, null),
			planned("aws_dynamodb_table_replica.r", ["no-op"], replica, replica),
		],
		[],
	)
}

test_accepts_a_deleted_key_with_its_replica if {
	count(keys_in_use.deny) == 0 with input.plan as plan_test.of(
		[
			planned("aws_kms_key.k", ["delete"], {"arn": arn}, null),
			planned("aws_dynamodb_table_replica.r", ["delete"], replica, null),
		],
		[],
	)
}

test_accepts_a_deleted_key_when_the_table_has_another if {
	count(keys_in_use.deny) == 0 with input.plan as plan_test.of(
		[
			planned("aws_kms_key.k", ["delete"], {"arn": arn}, null),
			planned(
				"aws_dynamodb_table.t",
				["update"],
				{"server_side_encryption": [{"enabled": true, "kms_key_arn": arn}]},
				{"server_side_encryption": [{"enabled": false}]},
			),
		],
		[],
	)
}

test_denies_a_replica_that_is_replaced if {
	count(keys_in_use.deny) == 1 with input.plan as plan_test.of(
		[planned("aws_dynamodb_table_replica.r", ["delete", "create"], replica, replica)],
		[],
	)
}
