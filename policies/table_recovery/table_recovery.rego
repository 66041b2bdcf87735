# Avoid: a table without point-in-time recovery, or one that can be deleted by a plan; and a plan that deletes a table
# which the policy document still names, native or not, as one with another key.
# Prefer: both on, for localized tables, ledgers and whatever the deployment file does not call native; and a new table
# beside the former one, to which its items are copied.
# Rationale: a lost table can't be had back from the other Regions, which hold stubs of it; a lost ledger lets deleted
# items return.
package terraform.policies.table_recovery

import data.terraform.plan
import rego.v1

tables := [table |
	some table in plan.of_type({"aws_dynamodb_table", "aws_dynamodb_table_replica"})
	not plan.of_native_table(table)
]

deny contains message if {
	some table in tables
	not recoverable(table.change.after)
	message := sprintf("%s: point-in-time recovery is off", [table.address])
}

deny contains message if {
	some table in tables
	not object.get(table.change.after, "deletion_protection_enabled", null) == true
	message := sprintf("%s: deletion protection is off", [table.address])
}

deny contains message if {
	some table in input.plan.resource_changes
	table.type == "aws_dynamodb_table"
	"delete" in table.change.actions
	table.change.before.name in ((plan.localized | plan.ledgers) | plan.native)
	message := sprintf("%s: the table is deleted, and the policy document names it", [table.address])
}

recoverable(table) if table.point_in_time_recovery[0].enabled == true

recoverable(table) if table.point_in_time_recovery == true
