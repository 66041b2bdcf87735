"""Text in Terraform's configuration."""

from __future__ import annotations


def literal(text: str) -> str:
    """Return text from the deployment file so that Terraform takes it as it is: ``${`` and ``%{`` begin a template."""
    return text.replace("${", "$${").replace("%{", "%%{")
