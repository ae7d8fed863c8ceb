"""Attacks that take hours: kills, failing system calls, bad inputs, runs side by side, full disks, long repetition.

``python -m tests.soak`` from the root of the repository; ``docs/reliability.md`` has what came out. Plain pytest
collects nothing of it.
"""
