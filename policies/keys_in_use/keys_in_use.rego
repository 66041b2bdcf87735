# Avoid: a plan that disables a key or may do so, deletes a table's key or a key's policy, takes a key out of the
# account's hands, or replaces a replica.
# Prefer: to delete the replica first, and its key when the table is ACTIVE again.
# Rationale: DynamoDB takes a replica whose key can't be used out of the Global Table after 20 hours, for good; one that
# is replaced is gone with its Region's service until it is full again.
package terraform.policies.keys_in_use

import data.terraform.plan
import rego.v1

deny contains message if {
	some key in plan.of_type({"aws_kms_key"})
	not enabled(key.change)
	message := sprintf("%s: the key is disabled, or the plan does not tell", [key.address])
}

deny contains message if {
	some key in input.plan.resource_changes
	key.type == "aws_kms_key"
	"delete" in key.change.actions
	some table in plan.of_type({"aws_dynamodb_table", "aws_dynamodb_table_replica"})
	is_object(table.change.before)
	encrypted(table, key.change.before.arn)
	message := sprintf("%s: the key is deleted, and %s needs it", [key.address, table.address])
}

deny contains message if {
	some policy in plan.policies
	policy.resource.type in {"aws_kms_key", "aws_kms_key_policy"}
	not administered(policy)
	message := sprintf("%s: the key's policy does not leave its use to the account", [policy.resource.address])
}

deny contains message if {
	some policy in input.plan.resource_changes
	policy.type == "aws_kms_key_policy"
	"delete" in policy.change.actions
	message := sprintf("%s: the key's policy is deleted", [policy.address])
}

deny contains message if {
	some replica in plan.of_type({"aws_dynamodb_table_replica"})
	"delete" in replica.change.actions
	message := sprintf("%s: the replica is replaced", [replica.address])
}

enabled(change) if {
	object.get(change.after, "is_enabled", true) == true
	object.get(change.after_unknown, "is_enabled", false) == false
}

# A replica keeps its key, whatever is planned for it.
encrypted(replica, arn) if replica.change.before.kms_key_arn == arn

# A table is encrypted anew before Terraform deletes its former key.
encrypted(table, arn) if {
	table.change.before.server_side_encryption[0].kms_key_arn == arn
	not given_up(table)
}

given_up(table) if table.change.after.server_side_encryption[0].enabled == false

administered(policy) if {
	some statement in plan.allowing(policy)
	not statement.Condition
	some name in plan.listed(statement.Principal.AWS)
	name == root
	"kms:*" in plan.listed(statement.Action)
	not denied(policy)
}

# Whether something is denied to the whole account. What a condition comes to, a plan does not tell.
denied(policy) if {
	some statement in policy.statements
	statement.Effect == "Deny"
	not statement.Condition
	whole_account(statement)
}

whole_account(statement) if statement.NotPrincipal

whole_account(statement) if statement.Principal == "*"

whole_account(statement) if {
	some name in plan.listed(statement.Principal.AWS)
	name in {"*", plan.account, root}
}

root := sprintf("arn:%s:iam::%s:root", [plan.partition, plan.account])
