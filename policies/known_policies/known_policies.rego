# Avoid: a policy, or the policy document, that the plan can't tell before the apply; a policy that is none of IAM's.
# Prefer: ARNs that are built from names, so that a plan shows what will be allowed.
# Rationale: no rule here can judge what it can't read. AppConfig alone gives its resources identifiers of its own:
# policies that refer to nothing else are told by the plan after the first apply, and are only reported until then.
package terraform.policies.known_policies

import data.terraform.plan
import rego.v1

deny contains message if {
	some resource in unknown
	not awaits_appconfig(resource)
	message := sprintf("%s: the plan does not tell the policy before the apply", [resource.address])
}

deny contains message if {
	some version in plan.of_type({"aws_appconfig_hosted_configuration_version"})
	not is_string(object.get(version.change.after, "content", null))
	message := sprintf("%s: the plan does not tell which tables are localized", [version.address])
}

deny contains message if {
	count(plan.documents) == 0
	message := "the plan has no policy document, which tells the tables that are localized"
}

deny contains message if {
	some told in plan.policy_texts
	not told.resource.type in other_documents
	not readable(told.text)
	message := sprintf("%s: the policy is none that the rules can read", [told.resource.address])
}

warn contains message if {
	some resource in unknown
	awaits_appconfig(resource)
	message := sprintf("%s: the policy names AppConfig's identifiers: read it in the next plan", [resource.address])
}

unknown := [resource |
	some resource in input.plan.resource_changes
	resource.mode == "managed"
	some argument in (plan.policy_arguments | {"inline_policy"})
	hidden(resource, argument)
]

# A policy that is not configured at all is AWS's default.
hidden(resource, argument) if {
	object.get(resource.change.after_unknown, argument, false) == true
	not plan.left_out(resource, argument)
}

hidden(resource, argument) if resource.change.after_unknown[argument][_].policy == true

# What has a `policy_document` that allows nobody anything.
other_documents := {"aws_cloudwatch_log_account_policy", "aws_cloudwatch_log_data_protection_policy"}

elements := {
	"Action",
	"Condition",
	"Effect",
	"NotAction",
	"NotPrincipal",
	"NotResource",
	"Principal",
	"Resource",
	"Sid",
}

readable(text) if {
	json.is_valid(text)
	statements := plan.statements(text)
	count([statement | some statement in statements; not sound(statement)]) == 0
}

sound(statement) if {
	statement.Effect in {"Allow", "Deny"}
	count(object.keys(statement) - elements) == 0
}

# Only what a role may do is read again: whom a resource admits has to be known at once.
awaits_appconfig(resource) if {
	resource.type in {"aws_iam_policy", "aws_iam_role_policy"}
	some reference in plan.references(resource, "policy")
	startswith(reference, "aws_appconfig_")
	others := {other |
		some other in plan.references(resource, "policy")
		not regex.match(`^(aws_appconfig_|data\.aws_caller_identity\.|data\.aws_partition\.)`, other)
	}
	count(others) == 0
}
