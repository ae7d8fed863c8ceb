"""The one family of errors that a person can mend; the command line prints each as one short paragraph."""


class BenchError(Exception):
    """What went wrong, where, and what to do. ``exit_code`` is what the command line ends with."""

    exit_code = 1


class StoreError(BenchError):
    """A result could not be written or read back as it was written."""


class TrainingError(BenchError):
    """Training went wrong: it diverged, or its processes fell apart."""


class UsageError(BenchError):
    """A wrong suite file, name, option, budget or architecture."""

    exit_code = 2


class DataError(BenchError):
    """Images are missing, incomplete, or not what their source promises."""

    exit_code = 4


def nearest(name: str, allowed: "list[str] | tuple[str, ...]") -> str:
    """A clause for the end of a message, with its stop: the closest allowed name, or all of them if none is close."""
    import difflib

    close = difflib.get_close_matches(name, allowed, n=1, cutoff=0.6)
    return f'did you mean "{close[0]}"?' if close else f"allowed are {', '.join(sorted(allowed))}."
