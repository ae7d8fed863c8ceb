"""``python -m trionet_bench``, and what the script ``trionet-bench`` calls."""

import os
import sys


def run() -> None:
    """The command line; Python starts anew in UTF-8 mode where the locale has another encoding.

    Names of files are UTF-8, and so is all that is read and written here; only the terminal keeps its encoding.
    """
    if sys.getfilesystemencoding() != "utf-8":
        environment = os.environ | {"PYTHONIOENCODING": f"{sys.stdout.encoding}:backslashreplace"}
        os.execve(
            sys.executable, [sys.executable, "-X", "utf8", "-m", "trionet_bench", *map(str, sys.argv[1:])], environment
        )
    from trionet_bench.cli.main import main  # only once it is certain that this process goes on

    main()


if __name__ == "__main__":
    run()
