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

root := "arn:aws:iam::111122223333:root"

administered := {"Effect": "Allow", "Principal": {"AWS": root}, "Action": "kms:*"}

# A key with a policy of these statements.
key(statements) := [plan_test.resource("aws_kms_key.k", {"policy": json.marshal({"Statement": statements})})]

test_accepts_a_key_that_is_denied_to_one_role if {
	guest := {"Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::111122223333:role/guest"}, "Action": "kms:*"}
	count(keys_in_use.deny) == 0 with input.plan as plan_test.of(key([administered, guest]), [])
}

test_accepts_a_denial_with_a_condition if {
	condition := {"Bool": {"aws:SecureTransport": "false"}}
	plain := {"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Condition": condition}
	count(keys_in_use.deny) == 0 with input.plan as plan_test.of(key([administered, plain]), [])
}

test_denies_a_denial_for_the_account if {
	account := {"Effect": "Deny", "Principal": {"AWS": "111122223333"}, "Action": "kms:Decrypt"}
	count(keys_in_use.deny) == 1 with input.plan as plan_test.of(key([administered, account]), [])
}

test_denies_a_key_that_may_be_disabled if {
	count(keys_in_use.deny) == 1 with input.plan as plan_test.of(
		[plan_test.unknown("aws_kms_key.k", {}, {"is_enabled": true})],
		[],
	)
}
