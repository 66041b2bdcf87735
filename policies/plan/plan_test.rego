# The small plans that the rules' own tests are about.
package terraform.plan_test

import data.terraform.plan
import rego.v1

# A plan of some resources in one Region of two; `references` are [address, argument, reference].
of(resources, references) := {
	"configuration": {
		"provider_config": {"aws": {"expressions": {"region": {"constant_value": "eu-west-1"}}}},
		"root_module": {"resources": [{"address": r[0], "expressions": {r[1]: {"references": [r[2]]}}} |
			some r in references
		]},
	},
	"prior_state": {"values": {"root_module": {"resources": [
		{"mode": "data", "type": "aws_caller_identity", "values": {"account_id": "111122223333"}},
		{"mode": "data", "type": "aws_partition", "values": {"partition": "aws"}},
	]}}},
	"resource_changes": array.concat([document], resources),
}

document := resource("aws_appconfig_hosted_configuration_version.v", {"content": json.marshal({
	"regions": ["eu-west-1", "us-east-1"],
	"tables": {"shop-customers": {"ledger": "shop-customers-ledger"}},
	"native": {"shop-prices": {"regions": ["eu-west-1", "us-east-1"], "consistency": "eventual"}},
})})

# A resource with what is known of it, and one of which an argument is unknown.
resource(address, after) := unknown(address, after, {})

unknown(address, after, marks) := {
	"address": address,
	"mode": "managed",
	"type": split(address, ".")[0],
	"change": {"actions": ["create"], "after": after, "after_unknown": marks},
}

policy(statement) := {"policy": json.marshal({"Statement": [statement]})}

test_the_deployments_regions_are_those_of_the_document if {
	plan.regions == {"eu-west-1", "us-east-1"} with input.plan as of([], [])
}

test_an_arn_is_inside_by_partition_region_and_account if {
	plan.inside("arn:aws:sqs:us-east-1:111122223333:q") with input.plan as of([], [])
	not plan.inside("arn:aws:sqs:us-west-2:111122223333:q") with input.plan as of([], [])
	not plan.inside("arn:aws:sqs:us-east-1:999999999999:q") with input.plan as of([], [])
	not plan.inside("arn:aws-cn:sqs:us-east-1:111122223333:q") with input.plan as of([], [])
	not plan.inside("arn:aws:sqs:*:111122223333:q") with input.plan as of([], [])
	not plan.inside(null) with input.plan as of([], [])
}

test_a_localized_table_is_not_native_whatever_else_the_document_says if {
	confused := resource("aws_appconfig_hosted_configuration_version.w", {"content": json.marshal({
		"regions": [],
		"tables": {"shop-prices": {"ledger": "shop-prices-ledger"}},
		"native": {"shop-prices-ledger": {}},
	})})
	plan.of_native_table(resource("aws_dynamodb_table.t", {"name": "shop-prices"})) with input.plan as of([], [])
	not plan.of_native_table(resource("aws_dynamodb_table.t", {"name": "shop-prices"})) with input.plan as of([confused], [])
	not plan.of_native_table(resource("aws_dynamodb_table.l", {"name": "shop-prices-ledger"})) with input.plan as of([confused], [])
}

test_an_instance_refers_to_what_its_configuration_does if {
	told := of([], [["aws_sqs_queue.q", "redrive_policy", "aws_sqs_queue.d.arn"]])
	plan.made_here(resource("aws_sqs_queue.q[0]", {}), "redrive_policy", "aws_sqs_queue") with input.plan as told
	plan.left_out(resource("aws_sqs_queue.q[0]", {}), "policy") with input.plan as told
	not plan.left_out(resource("aws_sqs_queue.q[0]", {}), "redrive_policy") with input.plan as told
}

test_the_configuration_of_a_module_tells_nothing if {
	told := of([], [["aws_sqs_queue.q", "redrive_policy", "aws_sqs_queue.d.arn"]])
	module := resource("module.m.aws_sqs_queue.q", {})
	not plan.made_here(module, "redrive_policy", "aws_sqs_queue") with input.plan as told
	not plan.left_out(module, "policy") with input.plan as told
}
