"""Importing this makes ``fake`` a system, in a worker process or a program of its own."""

from pathlib import Path

from trionet_bench import systems

systems.__path__.append(str(Path(__file__).parent / "systems"))
