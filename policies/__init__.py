"""The policy set of HCP Terraform, and what runs it here: docs/policies.md."""
