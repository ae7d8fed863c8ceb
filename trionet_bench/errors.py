"""Errors that a user can mend; the command line prints each as one short paragraph."""

from collections.abc import Sequence

_LONGEST = 2000  # characters of a message; names and values come from files of any size


class BenchError(Exception):
    """Its message says what is wrong, where, and what to do. ``exit_code`` is the exit status of the command line."""

    exit_code = 1

    def __init__(self, message: str = "") -> None:
        if len(message) > _LONGEST:
            message = f"{message[: _LONGEST // 2]} [...] {message[-_LONGEST // 4 :]}"
        super().__init__(message)


class StoreError(BenchError):
    """A result cannot be written, or is not as it was written."""


class DamagedFile(StoreError):
    """A file of ours is torn, empty, or something else; ``files.set_aside`` lets it be made again."""


class TrainingError(BenchError):
    """Training failed: it diverged, or one of its processes ended."""


class UsageError(BenchError):
    """A suite file, name, option, budget or architecture is wrong."""

    exit_code = 2


class DataError(BenchError):
    """Images are missing, incomplete, or not what their source promises."""

    exit_code = 4


def nearest(name: str, allowed: Sequence[str]) -> str:
    """The end of a message, with its full stop: the closest allowed name, or all of them if none is close."""
    import difflib  # of no use until something goes wrong

    spelt = {each.lower(): each for each in allowed}
    close = difflib.get_close_matches(name.lower(), spelt, n=1, cutoff=0.6)
    return f'did you mean "{spelt[close[0]]}"?' if close else f"allowed are {', '.join(sorted(allowed))}."
