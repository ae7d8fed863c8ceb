import pytest
import torch

from trionet_bench.errors import UsageError
from trionet_bench.training import device as devices


def test_names_resolve():
    assert devices.resolve_device("cpu") == torch.device("cpu")
    assert devices.resolve_device("auto").type in ("cpu", "cuda")


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cpu:1", "", "cuda:-1"])
def test_unknown_names_are_usage_errors(name):
    with pytest.raises(UsageError, match=f'unknown device "{name}"; allowed are auto, cpu'):
        devices.resolve_device(name)


def test_a_device_that_is_not_there_says_how_many_are(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert devices.resolve_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(UsageError, match='device "cuda:2" is not here: torch sees 2 CUDA devices'):
        devices.resolve_device("cuda:2")


def test_auto_prefers_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert devices.resolve_device("auto").type == "cuda"


def test_peak_memory_grows_with_what_is_held():
    before = devices.peak_memory(torch.device("cpu"))
    held = torch.ones(before // 4 + 2**22)  # at least as many bytes as the peak so far, and 16 MB
    assert devices.peak_memory(torch.device("cpu")) >= before + 2**23
    assert len(held)


def test_determinism_is_reported_as_set():
    try:
        report = devices.make_deterministic(torch.device("cpu"))
        assert torch.are_deterministic_algorithms_enabled()
        assert (report["deterministic_algorithms"], report["cudnn_benchmark"], report["world"]) == (True, False, 1)
        assert report["threads"] == torch.get_num_threads()
    finally:
        torch.use_deterministic_algorithms(False)


def test_environment_names_libraries_and_no_host():
    environment = devices.environment(torch.device("cpu"))
    assert (environment.torch, environment.device) == (torch.__version__, "cpu")
    assert environment.cores >= 1
