# Avoid: a policy, or the policy document, that the plan can't tell before the apply.
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

warn contains message if {
	some resource in unknown
	awaits_appconfig(resource)
	message := sprintf("%s: the policy names AppConfig's identifiers: read it in the next plan", [resource.address])
}

# A policy that is not configured at all is AWS's default, and is computed too.
unknown := [resource |
	some resource in input.plan.resource_changes
	resource.mode == "managed"
	some argument in ["policy", "assume_role_policy", "inline_policy"]
	hidden(object.get(resource.change.after_unknown, argument, false))
	count(plan.references(resource, argument)) > 0
]

hidden(mark) if mark == true

hidden(mark) if mark[_].policy == true

awaits_appconfig(resource) if {
	others := {reference |
		some reference in plan.references(resource, "policy")
		not regex.match(`^(aws_appconfig_|data\.aws_caller_identity\.|data\.aws_partition\.)`, reference)
	}
	count(others) == 0
	plan.references(resource, "policy") != set()
}
