"""Attacks that take hours: kills, failing system calls, bad inputs, runs side by side, full disks, long repetition.

``python -m tests.soak`` from the root of the repository; ``docs/reliability.md`` has what came out. Of it plain pytest
collects the tests of the attacks themselves, most of them on a program that stands in for the real one.
"""
