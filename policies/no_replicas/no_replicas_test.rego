package terraform.policies.no_replicas_test

import data.terraform.plan_test
import data.terraform.policies.no_replicas
import rego.v1

test_denies_a_localized_table_with_a_replica if {
	count(no_replicas.deny) == 1 with input.plan as plan_test.of(
		[plan_test.resource(
			"aws_dynamodb_table.t",
			{"name": "shop-customers", "replica": [{"region_name": "us-east-1"}]},
		)],
		[],
	)
}

test_denies_a_ledger_with_a_replica if {
	count(no_replicas.deny) == 1 with input.plan as plan_test.of(
		[plan_test.resource(
			"aws_dynamodb_table.t",
			{"name": "shop-customers-ledger", "replica": [{"region_name": "us-east-1"}]},
		)],
		[],
	)
}

test_accepts_another_table_with_a_replica if {
	count(no_replicas.deny) == 0 with input.plan as plan_test.of(
		[plan_test.resource(
			"aws_dynamodb_table.t",
			{"name": "shop-catalogue", "replica": [{"region_name": "us-east-1"}]},
		)],
		[],
	)
}

test_accepts_a_localized_table_alone if {
	count(no_replicas.deny) == 0 with input.plan as plan_test.of(
		[plan_test.resource("aws_dynamodb_table.t", {"name": "shop-customers", "replica": []})],
		[],
	)
}

updated(before, after) := {
	"address": "aws_dynamodb_table.t",
	"mode": "managed",
	"type": "aws_dynamodb_table",
	"change": {"actions": ["update"], "before": before, "after": after, "after_unknown": {}},
}

test_denies_a_native_table_that_is_localized_under_its_name if {
	count(no_replicas.deny) == 1 with input.plan as plan_test.of(
		[updated(
			{"name": "shop-customers", "replica": [{"region_name": "us-east-1"}]},
			{"name": "shop-customers", "replica": []},
		)],
		[],
	)
}

test_accepts_a_native_table_that_loses_a_replica if {
	count(no_replicas.deny) == 0 with input.plan as plan_test.of(
		[updated(
			{"name": "shop-prices", "replica": [{"region_name": "us-east-1"}]},
			{"name": "shop-prices", "replica": []},
		)],
		[],
	)
}

test_denies_a_localized_table_whose_replicas_are_unknown if {
	count(no_replicas.deny) == 1 with input.plan as plan_test.of(
		[plan_test.unknown("aws_dynamodb_table.t", {"name": "shop-customers"}, {"replica": true})],
		[],
	)
}
