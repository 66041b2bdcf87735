# Avoid: a rule on the bus whose target is elsewhere, or is anything but a bus or a queue.
# Prefer: the queues of the Region, and the buses of the deployment's other Regions in the same account. A rule on AWS's
# own bus may tell a topic of the same Region and account.
# Rationale: a target gets whole events, and an API destination or a foreign bus is beyond every other rule.
package terraform.policies.targets_inside

import data.terraform.plan
import rego.v1

deny contains message if {
	some target in plan.of_type({"aws_cloudwatch_event_target"})
	arn := target.change.after.arn
	is_string(arn)
	not plan.inside(arn)
	message := sprintf("%s: the target %s is outside the deployment's Regions and account", [target.address, arn])
}

deny contains message if {
	some target in plan.of_type({"aws_cloudwatch_event_target"})
	arn := target.change.after.arn
	is_string(arn)
	not regex.match(`^arn:[^:]+:(sqs:[^:]+:[^:]+:[^:]+|events:[^:]+:[^:]+:event-bus/[^:]+)$`, arn)
	not plan.notice(target)
	message := sprintf("%s: the target %s is neither a queue nor a bus", [target.address, arn])
}

deny contains message if {
	some target in plan.of_type({"aws_cloudwatch_event_target"})
	not is_string(object.get(target.change.after, "arn", null))
	not plan.made_here(target, "arn", "aws_sqs_queue")
	message := sprintf("%s: the plan does not tell the target, and it is no queue of this stack", [target.address])
}
