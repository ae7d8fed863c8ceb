"""``trionet-bench`` with the fake system and without torch, as a program that tests can kill."""

import signal

import with_fake_system  # noqa: F401
import without_torch  # noqa: F401

from trionet_bench.execution.executors import local

local.PRELOAD[:] = ["without_torch", "with_fake_system", "trionet_bench.execution.worker"]

if __name__ == "__main__":
    from trionet_bench.cli.main import main

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell starts its children deaf to it
    main()
