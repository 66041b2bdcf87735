# What the rules ask of a plan, `terraform show -json`, which HCP Terraform gives them as input.plan.
#
# What a plan does not tell is undefined here, and each rule denies what it can't show to be right. Built-in functions
# are given what they take: of anything else OPA makes undefined, and other implementations an error.
package terraform.plan

import rego.v1

# The Region of this stack, and the account and the partition that it is planned in.
region := input.plan.configuration.provider_config.aws.expressions.region.constant_value

account := looked_up("aws_caller_identity").account_id

partition := looked_up("aws_partition").partition

looked_up(type) := values if {
	some source in input.plan.prior_state.values.root_module.resources
	source.mode == "data"
	source.type == type
	values := source.values
}

# The policy documents that AppConfig carries to the functions: they name the Regions and the localized tables.
documents := [json.unmarshal(version.change.after.content) |
	some version in of_type({"aws_appconfig_hosted_configuration_version"})
]

regions := {region} | {other | some document in documents; some other in document.regions}

localized := {name | some document in documents; some name in object.keys(document.tables)}

# The tables that DynamoDB replicates: no localized item is in them.
native := {name | some document in documents; some name in object.keys(object.get(document, "native", {}))}

ledgers := {table.ledger | some document in documents; some table in document.tables}

# The managed resources of some types that there are after the apply.
of_type(types) := [resource |
	some resource in input.plan.resource_changes
	resource.mode == "managed"
	resource.type in types
	is_object(resource.change.after)
]

# The name of a table, and of the table that a replica is of.
table_of(table) := table.change.after.name if table.type == "aws_dynamodb_table"

table_of(replica) := split(replica.change.after.global_table_arn, ":table/")[1] if {
	is_string(replica.change.after.global_table_arn)
}

table_of(replica) := name if {
	replica.type == "aws_dynamodb_table_replica"
	not is_string(object.get(replica.change.after, "global_table_arn", null))
	names := {table.change.after.name |
		some table in of_type({"aws_dynamodb_table"})
		table.address in references(replica, "global_table_arn")
	}
	count(names) == 1
	some name in names
}

# Whether a resource is a native table, or the replica of one. A table that the document also calls localized is not.
of_native_table(resource) if {
	name := table_of(resource)
	name in native
	not name in localized
	not name in ledgers
}

# Whether an ARN names something of this account in a Region of the deployment.
inside(arn) if {
	is_string(arn)
	parts := split(arn, ":")
	parts[1] == partition
	parts[3] in regions
	parts[4] == account
}

# What the root configuration says of a resource. Of one in a child module it says nothing, and this is undefined.
configured(resource) := object.get(found, "expressions", {}) if {
	some found in input.plan.configuration.root_module.resources
	found.address == without_instances(resource.address)
}

# An address in the configuration: count and for_each make instances of it, which follow in brackets.
without_instances(address) := split(address, "[")[0]

# What the configuration of a resource refers to in an argument or a block. A value that is not known before the apply
# can be judged by that alone.
references(resource, argument) := {reference |
	walk(configured(resource)[argument], [path, found])
	path[count(path) - 1] == "references"
	some reference in found
}

# Whether the configuration has no such argument. What AWS chooses instead is known after the apply, too.
left_out(resource, argument) if {
	expressions := configured(resource)
	not argument in object.keys(expressions)
}

# Whether a value that is not known yet is a value of this stack's own resources of one type.
made_here(resource, argument, type) if {
	{split(reference, ".")[0] | some reference in references(resource, argument)} == {type}
}

# Whether an event target notifies people of what AWS itself tells: on AWS's bus no event of the deployment ever is.
notice(target) if {
	object.get(target.change.after, "event_bus_name", "default") == "default"
	object.get(target.change.after_unknown, "event_bus_name", false) == false
	is_string(target.change.after.arn)
	startswith(target.change.after.arn, sprintf("arn:%s:sns:%s:%s:", [partition, region, account]))
}

# The arguments that hold a policy document.
policy_arguments := {"policy", "assume_role_policy", "policy_document", "access_policy"}

# Every policy document that the plan tells, with where it stands.
policies := [{"resource": told.resource, "statements": statements(told.text)} | some told in policy_texts]

# The same as they are written. Where there is none, AWS may tell an empty one.
policy_texts := [told | some told in array.concat(attached, inline); told.text != ""]

attached := [{"resource": resource, "text": resource.change.after[argument]} |
	some resource in input.plan.resource_changes
	resource.mode == "managed"
	some argument in policy_arguments
	is_string(resource.change.after[argument])
]

inline := [{"resource": resource, "text": block.policy} |
	some resource in of_type({"aws_iam_role"})
	some block in resource.change.after.inline_policy
	is_string(block.policy)
]

statements(text) := listed(json.unmarshal(text).Statement)

allowing(policy) := [statement | some statement in policy.statements; statement.Effect == "Allow"]

listed(value) := value if is_array(value)

listed(value) := [value] if not is_array(value)
