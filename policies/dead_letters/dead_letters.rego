# Avoid: an event target, a function that follows a stream, or a queue that a function consumes, without a dead-letter
# queue.
# Prefer: a queue of the same stack that holds what could not be delivered.
# Rationale: EventBridge and Lambda drop what they have given up, and a replica that missed one change stays wrong. No
# change is in what AWS's own bus tells a topic.
package terraform.policies.dead_letters

import data.terraform.plan
import rego.v1

deny contains message if {
	some target in plan.of_type({"aws_cloudwatch_event_target"})
	arns := {config.arn | some config in target.change.after.dead_letter_config}
	not kept(target, "dead_letter_config", arns)
	not plan.notice(target)
	message := sprintf("%s: the target has no dead-letter queue of this stack", [target.address])
}

deny contains message if {
	some mapping in plan.of_type({"aws_lambda_event_source_mapping"})
	not object.get(mapping.change.after, "starting_position", null) in {null, ""} # only streams have one
	arns := {failure.destination_arn |
		some config in mapping.change.after.destination_config
		some failure in config.on_failure
	}
	not kept(mapping, "destination_config", arns)
	message := sprintf("%s: the stream's mapping has no dead-letter queue of this stack", [mapping.address])
}

deny contains message if {
	some mapping in plan.of_type({"aws_lambda_event_source_mapping"})
	object.get(mapping.change.after, "starting_position", null) in {null, ""}
	not redriven(mapping)
	message := sprintf("%s: the function consumes no queue of this stack that has a dead-letter queue", [mapping.address])
}

kept(resource, argument, arns) if {
	count(arns) == 0
	plan.made_here(resource, argument, "aws_sqs_queue")
}

kept(_, _, arns) if {
	some arn in arns
	is_string(arn)
	startswith(arn, own_queues)
}

own_queues := sprintf("arn:%s:sqs:%s:%s:", [plan.partition, plan.region, plan.account])

redriven(mapping) if {
	plan.made_here(mapping, "event_source_arn", "aws_sqs_queue")
	consumed := [queue |
		some queue in plan.of_type({"aws_sqs_queue"})
		plan.without_instances(queue.address) in plan.references(mapping, "event_source_arn")
	]
	count(consumed) > 0
	count([queue | some queue in consumed; not has_letters(queue)]) == 0
}

has_letters(queue) if {
	is_string(queue.change.after.redrive_policy)
	startswith(json.unmarshal(queue.change.after.redrive_policy).deadLetterTargetArn, own_queues)
}

has_letters(queue) if {
	not is_string(object.get(queue.change.after, "redrive_policy", null))
	some reference in plan.references(queue, "redrive_policy")
	startswith(reference, "aws_sqs_queue.")
}
