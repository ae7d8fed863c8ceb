"""``trionet-bench`` with the fake system, as a program that tests can kill."""

import with_fake_system  # noqa: F401

from trionet_bench.suite import local

local.PRELOAD.append("with_fake_system")

if __name__ == "__main__":
    from trionet_bench.cli.main import main

    main()
