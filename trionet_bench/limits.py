"""The most that a file or an option may ask for: checked before anything of that size is made."""

import reprlib

MOST_PIXELS = 2**14  # side of an image
MOST_CHANNELS = 2**16
MOST_BLOCKS = 1024  # of a network
MOST_STAGES = 32
MOST_VALUES = 256  # of one dimension of a space
MOST_STEPS = 10**6  # epochs, images of a batch, children of a search
MOST_CELLS = 100_000  # of a suite
MOST_JOBS = 1024  # at a time


def shown(value: object) -> str:
    """A value in a message, with long lists and texts cut."""
    return reprlib.repr(value)
