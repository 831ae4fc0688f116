"""What is said of a worker that has died."""

import signal

from lenetcli.training.workers.messages import Gone

_CAUSES = {
    "SIGKILL": "as a rule because the memory of the machine was used up",
    "SIGABRT": "by TensorFlow itself, as a rule because of an error inside it",
    "SIGILL": "since TensorFlow needs instructions that this processor lacks",
    "SIGSEGV": "by an error inside TensorFlow or a driver",
    "SIGBUS": "by an error inside TensorFlow, or a disk that is full",
    "SIGXCPU": "by a limit on processor time",
}
"""The likely cause of a death by a signal."""


def describe_death(gone: Gone) -> str:
    """How a worker ended, and the likely cause: the end of a sentence that begins with the worker."""
    if gone.is_lost:
        return f"was lost with {gone.machine or 'its machine'}"
    if gone.code is None:
        return f"ended on {gone.machine or 'a machine of the cluster'}"
    if gone.code >= 0:
        return f"ended with exit code {gone.code}"
    try:
        name = signal.Signals(-gone.code).name
    except ValueError:
        return f"was ended by signal {-gone.code}"
    cause = _CAUSES.get(name, "as a rule by somebody or a program of this machine")
    return f"was ended by signal {-gone.code} ({name}), {cause}"


def quote_last_words(gone: Gone) -> str:
    """What a dead worker wrote last, to follow a sentence; empty if it wrote nothing."""
    who = "Ray says" if gone.code is None else "Its last words"
    return f" {who}: {gone.last_words}" if gone.last_words else ""
