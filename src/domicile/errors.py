"""The error that is the reader's to mend."""

from __future__ import annotations


class UserError(Exception):
    """What was given (a file, an option, an account's state) can't be used as it is.

    Its message names the place and the accepted values. It is raised before anything was changed, and the command
    line answers it with exit code 2.
    """
