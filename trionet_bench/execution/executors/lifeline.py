"""Imported first by the server that workers are forked from: it ends with its program, even while it imports the rest.

Linux alone; elsewhere there is no such server.
"""

import ctypes
import signal

_PR_SET_PDEATHSIG = 1

ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
