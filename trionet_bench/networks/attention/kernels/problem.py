"""The arguments of the kernels as ctypes structures: the same fields in the same order as in ``problem.h``."""

import ctypes
from enum import IntEnum


class Task(IntEnum):
    """What the kernels compute; see ``problem.h``."""

    ATTEND = 0
    ATTEND_BACKWARD = 1
    OBSERVE = 2
    OBSERVE_BACKWARD = 3
    CROSS = 4
    CROSS_BACKWARD = 5


class Maps(ctypes.Structure):
    """Channels of a tensor (B, heads x channels, H, W), from the first of head 0 on."""

    _fields_ = [("data", ctypes.c_void_p), ("image_stride", ctypes.c_int64), ("head_stride", ctypes.c_int64)]


INTEGERS = (
    *("images", "heads", "lines", "line_stride", "height", "width", "position_stride", "channel_stride"),
    *(
        "window_rows",
        "window_columns",
        "qk_size",
        "qk_row_size",
        "v_size",
        "v_row_size",
        "position_sensitive",
        "groups",
    ),
)
MAPS = ("q", "k", "v", "content", "positional", "dq", "dk", "dv", "softmax", "attended")
ARRAYS = ("query_table", "key_table", "value_table", "scale", "moments", "dscale", "dtables")


class Problem(ctypes.Structure):
    """Sizes, inputs and outputs of one call; what a task does not use is left out."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in INTEGERS),
        *((name, Maps) for name in MAPS),
        *((name, ctypes.c_void_p) for name in ARRAYS),
    ]
