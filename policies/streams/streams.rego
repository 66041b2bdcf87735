# Avoid: a localized table without a stream, or with one that lacks an image.
# Prefer: a stream with new and old images.
# Rationale: the stream is all that the listener sees of a write; without both images it can't tell a stub from an item.
package terraform.policies.streams

import data.terraform.plan
import rego.v1

deny contains message if {
	some table in plan.of_type({"aws_dynamodb_table"})
	table.change.after.name in plan.localized
	not table.change.after.stream_enabled == true
	message := sprintf("%s: the localized table has no stream", [table.address])
}

deny contains message if {
	some table in plan.of_type({"aws_dynamodb_table"})
	table.change.after.name in plan.localized
	not object.get(table.change.after, "stream_view_type", null) == "NEW_AND_OLD_IMAGES"
	message := sprintf("%s: the stream has not both images of an item", [table.address])
}

deny contains message if {
	some name in plan.localized
	not name in {table.change.after.name | some table in plan.of_type({"aws_dynamodb_table"})}
	message := sprintf("%s: the policy document calls the table localized, and the plan has none of that name", [name])
}
