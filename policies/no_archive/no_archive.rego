# Avoid: an archive of the bus, or another tap on what passes over it, through the streams or into the logs.
# Prefer: the quarantine and the dead-letter queues, which hold what failed and nothing else.
# Rationale: an archive keeps every event, full images of localized items among them, beyond the moment at which a moved
# item was anonymized, and a replay would bring them back.
package terraform.policies.no_archive

import data.terraform.plan
import rego.v1

deny contains message if {
	some archive in plan.of_type({"aws_cloudwatch_event_archive"})
	message := sprintf("%s: an archive keeps every event of the bus", [archive.address])
}

deny contains message if {
	some tap in plan.of_type({
		"aws_cloudwatch_log_subscription_filter",
		"aws_dynamodb_kinesis_streaming_destination",
		"aws_dynamodb_table_export",
		"aws_kinesis_firehose_delivery_stream",
		"aws_kinesis_stream_consumer",
		"aws_pipes_pipe",
	})
	message := sprintf("%s: a %s copies items to where no rule follows them", [tap.address, tap.type])
}

deny contains message if {
	some policy in plan.of_type({"aws_cloudwatch_log_account_policy"})
	not object.get(policy.change.after, "policy_type", "") == "DATA_PROTECTION_POLICY"
	message := sprintf("%s: the policy may copy the logs of all groups to where no rule follows them", [policy.address])
}
