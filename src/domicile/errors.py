"""The two kinds of errors that a command ends with in one message, without a traceback."""

from __future__ import annotations


class UserError(Exception):
    """What was given (a file, an option, an account's state) can't be used as it is.

    Its message names the place and the accepted values. It is raised before anything was changed, and the command
    line answers it with exit code 2.
    """


class OperationError(Exception):
    """What was asked for is right, but failed on the way: a service refused or could not be reached. Exit code 1."""
