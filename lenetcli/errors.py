"""The errors that end a command, each with a sentence on the problem, one of advice, and an exit code."""

DEBUG_VARIABLE = "LENETCLI_DEBUG"
"""The environment variable that shows where an error comes from."""


def describe_error(error: BaseException) -> str:
    """The message of an exception of Python or of a library, without a full stop."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).rstrip(".")


class LenetError(Exception):
    """An error that ends the command: a sentence that says what is wrong, and one that says what to do.

    ``command`` is what to type, without the option that names the store; ``{}`` stands for it in the advice.
    """

    exit_code = 1

    def __init__(self, problem: str, advice: str, command: str = "") -> None:
        advice = advice.replace("{}", f"`{command}`") if command else advice
        super().__init__(f"{problem} {advice}")
        self.problem = problem
        self.advice = advice
        self.command = command

    def __reduce__(self) -> tuple[type["LenetError"], tuple[str, str, str]]:
        """The class and its arguments: an exception is pickled with its message alone otherwise."""
        return type(self), (self.problem, self.advice, self.command)


class RunFailedError(LenetError):
    """A run failed or is left to another process, a check found a difference, or output was lost."""


class UsageError(LenetError):
    """An argument is invalid, or what it requests is impossible."""

    exit_code = 2


class DeviceError(UsageError):
    """The requested device does not exist or cannot be used on this machine."""


class ClusterError(UsageError):
    """The requested cluster cannot be reached, or lacks what is requested of it."""


class NotFoundError(LenetError):
    """The requested store, run, sweep, result or file does not exist."""

    exit_code = 3


class StoreError(LenetError):
    """The store cannot be read or written."""

    exit_code = 4


class StoreBusyError(StoreError):
    """Another program has held the lock of the store for longer than the time limit for waiting."""


class StoreChangedError(StoreError):
    """The file of the store was moved, deleted or replaced while it was in use, or lacks what was stored."""

    @classmethod
    def for_lost(cls, store: object, rows: str) -> "StoreChangedError":
        """The error for a store at a path that lacks rows which were stored in it before."""
        return cls(
            f"The store '{store}' was changed while it was in use: it lacks {rows} that were stored in it.",
            "Type the same command again to train what is missing.",
        )


class LostClaimError(StoreError):
    """Another process has taken over the run; this one can no longer record anything for it."""

    @classmethod
    def to_another_process(cls) -> "LostClaimError":
        """The error for a run that goes on elsewhere."""
        return cls("Another process has taken this run over.", "Nothing is lost: that one goes on with it.")


class UncheckedError(LenetError):
    """A report agrees with the store as far as it could be checked, and not all of it could be."""

    exit_code = 6


class DataError(LenetError):
    """The data cannot be found or read, or are not what they should be."""

    exit_code = 5
