"""Where Terraform keeps the state of a Region's stack."""

from __future__ import annotations

from cdktf import (
    CloudBackend,
    LocalBackend,
    NamedCloudWorkspace,
    S3Backend,
    TaggedCloudWorkspaces,
    TerraformStack,
)

from domicile import deployment


def configure(stack: TerraformStack, name: str, backend: deployment.AnyBackend) -> None:
    """Set the stack's backend; its state is named after the stack, so that each Region has its own."""
    match backend:
        case deployment.LocalBackend():
            LocalBackend(stack, path="terraform.tfstate")  # in the folder that Terraform runs in
        case deployment.S3Backend():
            S3Backend(
                stack,
                bucket=backend.bucket,
                region=backend.region,
                key=f"{backend.key_prefix}{name}.tfstate",
                kms_key_id=backend.kms_key_id,
                encrypt=True,
            )
            # cdktf 0.21 does not know the option yet.
            stack.add_override("terraform.backend.s3.use_lockfile", backend.lockfile)
        case deployment.CloudBackend():
            workspace: NamedCloudWorkspace | TaggedCloudWorkspaces = NamedCloudWorkspace(name, project=backend.project)
            if backend.tags:
                # Terraform takes a name or tags. The stack's name is a tag, too, so that no other workspace is meant.
                workspace = TaggedCloudWorkspaces([*backend.tags, name], project=backend.project)
            CloudBackend(stack, organization=backend.organization, hostname=backend.hostname, workspaces=workspace)
