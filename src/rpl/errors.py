"""What can go wrong through no fault of the code: each message says what to do."""


class Failure(Exception):
    """Something that a user can mend; on the command line one sentence and exit code 1."""


class UsageError(Failure):
    """A command that cannot be meant as it was given; exit code 2."""
