"""Constructs, one package for each logical entity of a Region, its IAM inside."""

import infra  # noqa: F401  # sets up jsii before a construct imports cdktf
