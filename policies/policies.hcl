# An OPA policy set of HCP Terraform: docs/policies.md.

policy "dead_letters" {
  query             = "data.terraform.policies.dead_letters.deny"
  enforcement_level = "mandatory"
  description       = "Targets and stream mappings have dead-letter queues."
}

policy "encryption" {
  query             = "data.terraform.policies.encryption.deny"
  enforcement_level = "mandatory"
  description       = "Tables, queues, logs, streams and secrets are under the Region's key."
}

policy "keys_in_use" {
  query             = "data.terraform.policies.keys_in_use.deny"
  enforcement_level = "mandatory"
  description       = "Keys stay while tables need them, and replicas are not replaced."
}

policy "known_policies" {
  query             = "data.terraform.policies.known_policies.deny"
  enforcement_level = "mandatory"
  description       = "The plan tells every policy."
}

policy "log_retention" {
  query             = "data.terraform.policies.log_retention.deny"
  enforcement_level = "mandatory"
  description       = "Logs end some day."
}

policy "no_archive" {
  query             = "data.terraform.policies.no_archive.deny"
  enforcement_level = "mandatory"
  description       = "Nothing archives or taps events and items."
}

policy "no_replicas" {
  query             = "data.terraform.policies.no_replicas.deny"
  enforcement_level = "mandatory"
  description       = "Localized tables are in no Global Table."
}

policy "no_wildcards" {
  query             = "data.terraform.policies.no_wildcards.deny"
  enforcement_level = "mandatory"
  description       = "Wildcards in policies have a named reason."
}

policy "principals_inside" {
  query             = "data.terraform.policies.principals_inside.deny"
  enforcement_level = "mandatory"
  description       = "Policies of resources and roles admit this account and its sources alone."
}

policy "published_versions" {
  query             = "data.terraform.policies.published_versions.deny"
  enforcement_level = "mandatory"
  description       = "Functions run as published versions, by an alias."
}

policy "streams" {
  query             = "data.terraform.policies.streams.deny"
  enforcement_level = "mandatory"
  description       = "Localized tables have streams with both images."
}

policy "table_recovery" {
  query             = "data.terraform.policies.table_recovery.deny"
  enforcement_level = "mandatory"
  description       = "Tables have point-in-time recovery and deletion protection."
}

policy "targets_inside" {
  query             = "data.terraform.policies.targets_inside.deny"
  enforcement_level = "mandatory"
  description       = "Bus targets are queues and buses of the deployment."
}

policy "validated_configuration" {
  query             = "data.terraform.policies.validated_configuration.deny"
  enforcement_level = "mandatory"
  description       = "AppConfig refuses a policy document that is not valid."
}

policy "policies_to_read_again" {
  query             = "data.terraform.policies.known_policies.warn"
  enforcement_level = "advisory"
  description       = "Policies that a first plan can't tell: the next one does."
}
