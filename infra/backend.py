"""Where Terraform keeps the state of a Region's stack."""

from __future__ import annotations

from cdktf import CloudBackend, LocalBackend, NamedCloudWorkspace, S3Backend, TerraformStack

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
            workspace = NamedCloudWorkspace(name, project=backend.project)
            CloudBackend(stack, organization=backend.organization, hostname=backend.hostname, workspaces=workspace)
