"""The errors a user can meet: one sentence of what is wrong, one of what to do, an exit code."""


class LenetError(Exception):
    """What stopped the command, in words for the person who typed it.

    Args:
        problem: one sentence that says what is wrong.
        advice: one sentence that says what to do about it.
    """

    exit_code = 1

    def __init__(self, problem: str, advice: str) -> None:
        super().__init__(f"{problem} {advice}")
        self.problem = problem
        self.advice = advice


class RunFailedError(LenetError):
    """A run failed, cells are left over, or a comparison does not hold."""

    exit_code = 1


class UsageError(LenetError):
    """What was typed cannot be done."""

    exit_code = 2


class DeviceError(UsageError):
    """A device was asked for that this machine does not have."""


class NotFoundError(LenetError):
    """The store holds nothing of that name."""

    exit_code = 3


class StoreError(LenetError):
    """The store cannot be read or written."""

    exit_code = 4


class StoreBusyError(StoreError):
    """Another program holds the store's lock for longer than we wait for it."""


class LostClaimError(StoreError):
    """Another process has taken the run over; what this one still holds is void."""


class DataError(LenetError):
    """The data cannot be found, read or believed."""

    exit_code = 5
