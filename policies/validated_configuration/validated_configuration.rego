# Avoid: an AppConfig profile that takes any document.
# Prefer: a validator, by JSON Schema or a function.
# Rationale: the document says which Region holds whose data; AppConfig refuses one that is not valid before a function
# sees it.
package terraform.policies.validated_configuration

import data.terraform.plan
import rego.v1

deny contains message if {
	some profile in plan.of_type({"aws_appconfig_configuration_profile"})
	not validated(profile.change.after)
	message := sprintf("%s: the profile has no validator", [profile.address])
}

validated(profile) if {
	some validator in profile.validator
	validator.type in {"JSON_SCHEMA", "LAMBDA"}
}
