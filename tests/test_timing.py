"""Samples are taken in turns, on the threads that were asked for."""

import torch

from trionet_bench.timing import in_turns, threads


def test_steps_are_timed_in_turns_after_a_warm_up():
    order: list[str] = []
    times = in_turns({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 2, torch.device("cpu"))
    assert order == ["a", "b"] * 3
    assert {name: len(values) for name, values in times.items()} == {"a": 2, "b": 2}


def test_threads_are_given_back():
    before = torch.get_num_threads()
    with threads(before + 1) as used:
        assert used == torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    with threads(None) as used:
        assert used == before
