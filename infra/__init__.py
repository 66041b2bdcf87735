"""The deployment's synthesis: from the deployment file and the zips to one Terraform stack per Region."""

from infra import bindings

bindings.install()
