# Avoid: an allowed action or resource that is a wildcard, or everything but some; to attach a policy that AWS
# maintains, or one that the plan does not tell.
# Prefer: named actions on named resources; each wildcard that has to be is accepted by a function below, named for why.
# Rationale: a role that is taken over can do what its policy says, and a policy of AWS's says more from time to time.
package terraform.policies.no_wildcards

import data.terraform.plan
import rego.v1

# Actions that can't name a resource: X-Ray has none, and where Lambda's network interfaces will be nobody knows.
without_resources := {
	"ec2:AssignPrivateIpAddresses",
	"ec2:CreateNetworkInterface",
	"ec2:DeleteNetworkInterface",
	"ec2:DescribeNetworkInterfaces",
	"ec2:DescribeSubnets",
	"ec2:UnassignPrivateIpAddresses",
	"xray:PutTelemetryRecords",
	"xray:PutTraceSegments",
}

# The argument by which each type attaches policies.
attached := {
	"aws_iam_group_policy_attachment": "policy_arn",
	"aws_iam_group_policy_attachments_exclusive": "policy_arns",
	"aws_iam_policy_attachment": "policy_arn",
	"aws_iam_role": "managed_policy_arns",
	"aws_iam_role_policy_attachment": "policy_arn",
	"aws_iam_role_policy_attachments_exclusive": "policy_arns",
	"aws_iam_user_policy_attachment": "policy_arn",
	"aws_iam_user_policy_attachments_exclusive": "policy_arns",
}

deny contains message if {
	some policy in plan.policies
	some statement in plan.allowing(policy)
	some action in plan.listed(statement.Action)
	wildcard(action)
	not key_administration(policy, action)
	message := sprintf("%s: allows the action %s", [policy.resource.address, action])
}

deny contains message if {
	some policy in plan.policies
	some statement in plan.allowing(policy)
	some resource in plan.listed(statement.Resource)
	wildcard(resource)
	not accepted(policy, statement, resource)
	message := sprintf("%s: allows the resource %s", [policy.resource.address, resource])
}

deny contains message if {
	some policy in plan.policies
	some statement in plan.allowing(policy)
	some but in ["NotAction", "NotResource"]
	statement[but]
	message := sprintf("%s: allows everything but some, by %s", [policy.resource.address, but])
}

deny contains message if {
	some type, argument in attached
	some resource in plan.of_type({type})
	some arn in plan.listed(resource.change.after[argument])
	is_string(arn)
	regex.match(`^arn:[^:]+:iam::aws:policy/`, arn)
	message := sprintf("%s: attaches %s, which AWS maintains", [resource.address, arn])
}

deny contains message if {
	some type, argument in attached
	some resource in plan.of_type({type})
	true in plan.listed(resource.change.after_unknown[argument])
	not plan.left_out(resource, argument)
	not plan.made_here(resource, argument, "aws_iam_policy")
	message := sprintf("%s: attaches a policy that is unknown, and none of this stack", [resource.address])
}

wildcard(text) if regex.match(`[*?]`, text)

# Without this statement IAM could not grant the use of the key, and nobody could manage it.
key_administration(policy, action) if {
	policy.resource.type == "aws_kms_key"
	action == "kms:*"
}

accepted(policy, _, resource) if the_key_itself(policy, resource)

accepted(_, statement, resource) if no_resource_to_name(statement, resource)

accepted(_, statement, resource) if one_table_in_named_regions(statement, resource)

accepted(_, statement, resource) if keys_by_their_alias(statement, resource)

accepted(_, _, resource) if parts_of_one(resource)

# In a key's policy "*" is the key.
the_key_itself(policy, resource) if {
	policy.resource.type == "aws_kms_key"
	resource == "*"
}

no_resource_to_name(statement, resource) if {
	resource == "*"
	every action in plan.listed(statement.Action) {
		action in without_resources
	}
}

# One ARN for all Regions keeps the policy within IAM's limit; the condition names the Regions.
one_table_in_named_regions(statement, resource) if {
	parts := split(resource, ":")
	parts[3] == "*"
	parts[4] == plan.account
	regex.match(`^table/[^*?/]+(/index/\*)?$`, parts[5])
	every requested in plan.listed(statement.Condition.StringEquals["aws:RequestedRegion"]) {
		requested in plan.regions
	}
}

# A key's ARN is known in its own stack alone; the condition names it by its alias.
keys_by_their_alias(statement, resource) if {
	plan.inside(resource)
	endswith(resource, ":key/*")
	aliases := plan.listed(statement.Condition["ForAnyValue:StringEquals"]["kms:ResourceAliases"])
	count([alias | some alias in aliases; wildcard(alias)]) == 0
}

# A table's streams and indexes, a group's log streams, and the six characters that Secrets Manager adds to a name.
parts_of_one(resource) if {
	plan.inside(resource)
	regex.match(`^[^*?]+(:table/[^*?/]+/(stream|index)/\*|:log-group:[^*?:]+:\*|:secret:[^*?]+-\?\?\?\?\?\?)$`, resource)
}
