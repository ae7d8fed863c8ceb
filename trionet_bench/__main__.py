"""``python -m trionet_bench``, and what the script ``trionet-bench`` calls."""

import os
import sys

from trionet_bench.interrupts import INTERRUPTED, MESSAGE, end_now, heed_interrupts


def run() -> None:
    """The command line; Python starts anew in UTF-8 mode where the locale has another encoding.

    Names of files are UTF-8, and so is all that is read and written here; only the terminal keeps its encoding.
    """
    heed_interrupts()
    try:
        _run()
    except KeyboardInterrupt:  # while the command line itself was imported
        print(MESSAGE, file=sys.stderr)
        end_now()
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            end_now()
        raise


def _run() -> None:
    if sys.getfilesystemencoding() != "utf-8":
        environment = os.environ | {"PYTHONIOENCODING": f"{sys.stdout.encoding}:backslashreplace"}
        os.execve(
            sys.executable, [sys.executable, "-X", "utf8", "-m", "trionet_bench", *map(str, sys.argv[1:])], environment
        )
    from trionet_bench.cli.main import main  # only once it is certain that this process goes on

    main()


if __name__ == "__main__":
    run()
