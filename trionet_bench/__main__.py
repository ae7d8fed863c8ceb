"""``python -m trionet_bench``."""

from trionet_bench.cli.main import main

if __name__ == "__main__":
    main()
