# Avoid: a table, a queue, a log group, a stream or a secret under a key that AWS owns or manages, or of another Region;
# a table whose own key is named while its encryption is off.
# Prefer: the stack's own KMS key. A native table, which holds no localized item, may have a key of AWS's.
# Rationale: who may read the data is then said by one policy of the Region, and every use of the key is in CloudTrail.
package terraform.policies.encryption

import data.terraform.plan
import rego.v1

# The argument that names each type's key; a table has it in a block.
keys := {
	"aws_cloudwatch_log_group": "kms_key_id",
	"aws_dynamodb_table": "server_side_encryption",
	"aws_dynamodb_table_replica": "kms_key_arn",
	"aws_kinesis_stream": "kms_key_id",
	"aws_secretsmanager_secret": "kms_key_id",
	"aws_sqs_queue": "kms_master_key_id",
}

deny contains message if {
	some type, argument in keys
	some resource in plan.of_type({type})
	not under_the_key(resource, argument)
	not left_to_aws(resource, argument)
	message := sprintf("%s: is not encrypted with the key of this Region", [resource.address])
}

deny contains message if {
	some stream in plan.of_type({"aws_kinesis_stream"})
	not object.get(stream.change.after, "encryption_type", null) == "KMS"
	message := sprintf("%s: the stream's encryption is off", [stream.address])
}

under_the_key(resource, argument) if {
	encrypted(resource, argument)
	not off(resource)
}

# DynamoDB is not told of the key of a table whose encryption is off, and takes its own.
off(table) if {
	table.type == "aws_dynamodb_table"
	not table.change.after.server_side_encryption[0].enabled == true
}

encrypted(resource, argument) if {
	key := named(resource.change.after[argument])
	startswith(key, sprintf("arn:%s:kms:%s:%s:key/", [plan.partition, plan.region, plan.account]))
}

encrypted(resource, argument) if {
	not named(resource.change.after[argument])
	plan.made_here(resource, argument, "aws_kms_key")
}

left_to_aws(table, argument) if {
	plan.of_native_table(table)
	not named(table.change.after[argument])
	plan.configured(table)
	count(plan.references(table, argument)) == 0
}

# The provider tells an empty key where AWS's own is in use.
named(key) := key if {
	is_string(key)
	key != ""
}

named(blocks) := blocks[0].kms_key_arn if {
	is_array(blocks)
	is_string(blocks[0].kms_key_arn)
	blocks[0].kms_key_arn != ""
}
