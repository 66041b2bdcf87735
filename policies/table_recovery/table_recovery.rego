# Avoid: a table without point-in-time recovery, or one that can be deleted by a plan.
# Prefer: both on, for tables and ledgers.
# Rationale: a lost table can't be had back from the other Regions, which hold stubs of it; a lost ledger lets deleted
# items return.
package terraform.policies.table_recovery

import data.terraform.plan
import rego.v1

tables := plan.of_type({"aws_dynamodb_table", "aws_dynamodb_table_replica"})

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

recoverable(table) if table.point_in_time_recovery[0].enabled == true

recoverable(table) if table.point_in_time_recovery == true
