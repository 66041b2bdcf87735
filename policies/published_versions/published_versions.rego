# Avoid: a function that is invoked as $LATEST.
# Prefer: each deployment publishes a version, an alias names it, and mappings invoke the alias.
# Rationale: what runs is then what was planned, and going back is one change of the alias.
package terraform.policies.published_versions

import data.terraform.plan
import rego.v1

deny contains message if {
	some function in plan.of_type({"aws_lambda_function"})
	not function.change.after.publish == true
	message := sprintf("%s: the function publishes no version", [function.address])
}

deny contains message if {
	some alias in plan.of_type({"aws_lambda_alias"})
	not pinned(alias)
	message := sprintf("%s: the alias names no published version", [alias.address])
}

deny contains message if {
	some mapping in plan.of_type({"aws_lambda_event_source_mapping"})
	not by_alias(mapping)
	message := sprintf("%s: the mapping invokes no alias or version of the function", [mapping.address])
}

pinned(alias) if {
	is_string(alias.change.after.function_version)
	regex.match(`^[0-9]+$`, alias.change.after.function_version)
}

pinned(alias) if {
	not is_string(object.get(alias.change.after, "function_version", null))
	plan.made_here(alias, "function_version", "aws_lambda_function")
}

by_alias(mapping) if {
	is_string(mapping.change.after.function_name)
	regex.match(`^arn:[^:]+:lambda:[^:]+:[^:]+:function:[^:]+:[A-Za-z0-9_-]+$`, mapping.change.after.function_name)
}

by_alias(mapping) if {
	not is_string(object.get(mapping.change.after, "function_name", null))
	plan.made_here(mapping, "function_name", "aws_lambda_alias")
}
