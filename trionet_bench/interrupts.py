"""Ctrl-C and SIGTERM on the command line: the first ends the run in order, the second at once.

Installed before anything slow is imported. What a run leaves is whole at any moment, so that an end at once loses
nothing; it also follows where the end in order takes longer than ``PATIENCE``, for example since a library took the
interrupt for an error of its own.
"""

import atexit
import os
import signal
import sys
import threading
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130  # exit code
PATIENCE = 10.0  # seconds
MESSAGE = "Interrupted. What is finished is kept; the same command goes on from there."

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def heed_interrupts() -> None:
    """From now on SIGINT and SIGTERM raise KeyboardInterrupt in the main thread, and a second one ends the process.

    A signal that is ignored, as SIGINT is in the background jobs of a shell, stays ignored. Forked processes are as
    Python makes them.
    """
    for number in _SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)
    os.register_at_fork(after_in_child=_forget)


def end_now() -> NoReturn:
    """End the process with the exit code of an interrupt, whatever its threads compute at the moment."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(INTERRUPTED)


def _interrupt(number: int, frame: FrameType | None) -> None:
    for each in _SIGNALS:
        if signal.getsignal(each) == _interrupt:
            signal.signal(each, _end_at_once)
    timer = threading.Timer(PATIENCE, _end)
    timer.daemon = True
    timer.start()
    raise KeyboardInterrupt


def _end_at_once(number: int, frame: FrameType | None) -> None:
    _end()


def _end() -> None:
    os.write(2, f"{MESSAGE}\n".encode())
    os._exit(INTERRUPTED)


def _forget() -> None:
    ours = (_interrupt, _end_at_once)
    if signal.getsignal(signal.SIGINT) in ours:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGTERM) in ours:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
