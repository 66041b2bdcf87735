# Avoid: a policy of a bus, a queue, a key, a stream, logs or a role that admits another account or everyone, or a
# service of AWS on anyone's behalf; a grant of a key to another account.
# Prefer: principals of this account, and services bound to sources in the deployment's Regions and account.
# Rationale: whom a resource's policy admits needs no permission of this account; only these policies stand between an
# event and a stranger.
package terraform.policies.principals_inside

import data.terraform.plan
import rego.v1

# The conditions that say on whose behalf a service calls.
source_keys := {"aws:SourceAccount", "aws:SourceArn", "kms:EncryptionContext:aws:logs:arn"}

deny contains message if {
	some policy in plan.policies
	some statement in plan.allowing(policy)
	some [kind, name] in principals(statement)
	not admitted(policy, statement, kind, name)
	message := sprintf("%s: the policy admits the %s principal %s for no source of the deployment", [
		policy.resource.address,
		kind,
		name,
	])
}

deny contains message if {
	some permission in plan.of_type({"aws_cloudwatch_event_permission"})
	not object.get(permission.change.after, "principal", null) == plan.account
	message := sprintf("%s: the permission admits another account to the bus", [permission.address])
}

deny contains message if {
	some permission in plan.of_type({"aws_lambda_permission"})
	not plan.inside(object.get(permission.change.after, "source_arn", ""))
	message := sprintf("%s: the permission names no source of the deployment", [permission.address])
}

deny contains message if {
	some grant in plan.of_type({"aws_kms_grant"})
	not granted_inside(grant)
	message := sprintf("%s: the grant admits a principal to the key that may be of another account", [grant.address])
}

# Each principal of a statement as [kind, name].
principals(statement) := {[kind, name] |
	some kind in object.keys(statement.Principal)
	some name in plan.listed(statement.Principal[kind])
} if {
	is_object(statement.Principal)
}

principals(statement) := {["AWS", statement.Principal]} if is_string(statement.Principal)

principals(statement) := {["NotPrincipal", "anyone else"]} if statement.NotPrincipal

granted_inside(grant) if {
	is_string(grant.change.after.grantee_principal)
	own_principal(grant.change.after.grantee_principal)
}

granted_inside(grant) if {
	not is_string(object.get(grant.change.after, "grantee_principal", null))
	plan.made_here(grant, "grantee_principal", "aws_iam_role")
}

admitted(_, _, "AWS", name) if name == plan.account

admitted(_, _, "AWS", name) if own_principal(name)

# A service that assumes a role can do no more than the role; whose call it answers, it says itself.
admitted(policy, _, "Service", _) if policy.resource.type == "aws_iam_role"

admitted(_, statement, "Service", _) if {
	some operator in ["StringEquals", "ArnEquals", "ArnLike"]
	some key, values in statement.Condition[operator]
	key in source_keys
	every value in plan.listed(values) {
		own(value)
	}
}

own_principal(name) if startswith(name, sprintf("arn:%s:iam::%s:", [plan.partition, plan.account]))

own(value) if value == plan.account

own(value) if plan.inside(value)
