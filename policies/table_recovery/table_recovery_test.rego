package terraform.policies.table_recovery_test

import data.terraform.plan_test
import data.terraform.policies.table_recovery
import rego.v1

test_accepts_a_table_with_both if {
	count(table_recovery.deny) == 0 with input.plan as plan_test.of(
		[plan_test.resource(
			"aws_dynamodb_table.t",
			{"deletion_protection_enabled": true, "point_in_time_recovery": [{"enabled": true}]},
		)],
		[],
	)
}

test_denies_a_table_with_neither if {
	count(table_recovery.deny) == 2 with input.plan as plan_test.of(
		[plan_test.resource(
			"aws_dynamodb_table.t",
			{"deletion_protection_enabled": null, "point_in_time_recovery": []},
		)],
		[],
	)
}

test_accepts_a_native_table_with_neither if {
	count(table_recovery.deny) == 0 with input.plan as plan_test.of(
		[plan_test.resource("aws_dynamodb_table.t", {"name": "shop-prices", "deletion_protection_enabled": false})],
		[],
	)
}

test_denies_a_table_that_is_in_no_document if {
	count(table_recovery.deny) == 2 with input.plan as plan_test.of(
		[plan_test.resource("aws_dynamodb_table.t", {"name": "shop-invoices", "deletion_protection_enabled": false})],
		[],
	)
}

replaced(name) := {
	"address": "aws_dynamodb_table.t",
	"mode": "managed",
	"type": "aws_dynamodb_table",
	"change": {
		"actions": ["delete", "create"],
		"before": {"name": name},
		"after": {"name": name, "deletion_protection_enabled": true, "point_in_time_recovery": [{"enabled": true}]},
		"after_unknown": {},
	},
}

test_denies_a_table_that_is_replaced if {
	every name in ["shop-customers", "shop-customers-ledger", "shop-prices"] {
		count(table_recovery.deny) == 1 with input.plan as plan_test.of([replaced(name)], [])
	}
}

test_accepts_the_deletion_of_a_table_that_left_the_document if {
	count(table_recovery.deny) == 0 with input.plan as plan_test.of([replaced("shop-invoices")], [])
}
