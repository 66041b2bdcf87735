# Avoid: a log group that never forgets, or a function that logs to a group of Lambda's own making, which is one.
# Prefer: a retention in days, and a log group of the stack for each function.
# Rationale: logs say which keys were written when, and have to end some day.
package terraform.policies.log_retention

import data.terraform.plan
import rego.v1

deny contains message if {
	some group in plan.of_type({"aws_cloudwatch_log_group"})
	not ends(group.change.after.retention_in_days)
	message := sprintf("%s: the log group has no retention", [group.address])
}

deny contains message if {
	some function in plan.of_type({"aws_lambda_function"})
	count({logging.log_group | some logging in function.change.after.logging_config} & named) == 0
	message := sprintf("%s: the function logs to no log group of this stack", [function.address])
}

ends(days) if {
	is_number(days)
	days > 0
}

named := {group.change.after.name | some group in plan.of_type({"aws_cloudwatch_log_group"})}
