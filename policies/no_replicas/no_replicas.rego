# Avoid: a Global Table's replica of a localized table or of a ledger, or that the plan leaves open whether one has any.
# Prefer: Domicile's replication for localized tables, and Global Tables for tables without personal data.
# Rationale: DynamoDB copies every item whole into every Region that has a replica.
package terraform.policies.no_replicas

import data.terraform.plan
import rego.v1

deny contains message if {
	some table in plan.of_type({"aws_dynamodb_table"})
	count(object.get(table.change.after, "replica", [])) > 0
	not native(table.change.after.name)
	message := sprintf("%s: the localized table has replicas of a Global Table", [table.address])
}

deny contains message if {
	some table in plan.of_type({"aws_dynamodb_table"})
	object.get(table.change.after_unknown, "replica", false) == true
	not native(table.change.after.name)
	message := sprintf("%s: the plan does not tell whether the localized table has replicas", [table.address])
}

# Terraform calls it an update. A table that has to be localized is replaced by another one, into which its items move.
deny contains message if {
	some table in plan.of_type({"aws_dynamodb_table"})
	is_object(table.change.before)
	count(object.get(table.change.before, "replica", [])) > 0
	not native(table.change.after.name)
	message := sprintf("%s: the native table is localized under its name, and loses its replicas", [table.address])
}

deny contains message if {
	some replica in plan.of_type({"aws_dynamodb_table_replica"})
	not native(plan.table_of(replica))
	message := sprintf("%s: is the replica of a localized table, or the plan does not tell of which", [replica.address])
}

deny contains message if {
	some table in plan.of_type({"aws_dynamodb_global_table"})
	not native(table.change.after.name)
	message := sprintf("%s: makes a Global Table of a localized table", [table.address])
}

# Whether a table is none of those that the policy document, which has to be known for that, calls localized.
native(name) if {
	count(plan.documents) > 0
	not name in plan.localized
	not name in plan.ledgers
}
