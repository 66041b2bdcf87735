package terraform.policies.streams_test

import data.terraform.plan_test
import data.terraform.policies.streams
import rego.v1

test_accepts_both_images if {
	count(streams.deny) == 0 with input.plan as plan_test.of(
		[plan_test.resource(
			"aws_dynamodb_table.t",
			{"name": "shop-customers", "stream_enabled": true, "stream_view_type": "NEW_AND_OLD_IMAGES"},
		)],
		[],
	)
}

test_denies_keys_alone if {
	count(streams.deny) == 1 with input.plan as plan_test.of(
		[plan_test.resource(
			"aws_dynamodb_table.t",
			{"name": "shop-customers", "stream_enabled": true, "stream_view_type": "KEYS_ONLY"},
		)],
		[],
	)
}

test_denies_no_stream if {
	count(streams.deny) == 2 with input.plan as plan_test.of(
		[plan_test.resource(
			"aws_dynamodb_table.t",
			{"name": "shop-customers", "stream_enabled": false, "stream_view_type": null},
		)],
		[],
	)
}
