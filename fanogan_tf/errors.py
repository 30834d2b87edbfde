"""The one exception that reaches a user."""


class UserError(Exception):
    """Bad input. Its message is one line that names the file or flag and the mend; scripts print it and exit with 1."""
