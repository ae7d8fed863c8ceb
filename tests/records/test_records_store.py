"""The store: hashes, atomic files, records written once, claims."""

import errno
import hashlib
import json
import math
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.tasks import CLASSIFICATION

from trionet_bench.errors import BenchError, DamagedFile, StoreError, UsageError
from trionet_bench.records.claims import STALE_AFTER, Claims
from trionet_bench.records.columns import read_columns
from trionet_bench.records.layout import cell_folder, format_budget, parse_budget, phase_folder
from trionet_bench.records.owner import Owner
from trionet_bench.records.record import Record, RecordHead
from trionet_bench.records.store import (
    canonical,
    digest,
    digest_of_parts,
    file_digest,
    iter_records,
    read_head,
    read_record,
    write_record,
)


def record(**changes: object) -> Record:
    values: dict[str, object] = {
        "key": "k",
        "suite": "s",
        "dataset": "d",
        "model": "m",
        "system": "standalone",
        "budget": 4_000_000,
        "seed": 0,
        "status": "complete",
        "task": CLASSIFICATION.model_dump(),
        "environment": dict.fromkeys(
            ["python", "torch", "torchvision", "numpy", "platform", "cpu", "device", "device_name"], "x"
        )
        | {"cores": 2},
        "code": {"version": "0", "commit": None, "dirty": None},
        "command": "run",
        "started": "2026-01-01T00:00:00+00:00",
        "finished": "2026-01-01T00:00:01+00:00",
    }
    return Record.model_validate(values | changes)


def test_digest_is_sha256_of_canonical_json():
    expected = hashlib.sha256(b'{"a":[1,2],"b":0.5}').hexdigest()
    assert digest({"b": 0.5, "a": (1, 2)}) == expected
    assert digest({"a": [1, 2], "b": 0.5}) == expected
    assert digest_of_parts({"b": canonical(0.5), "a": canonical((1, 2))}) == expected


@pytest.mark.parametrize("value", [math.nan, math.inf, {1, 2}, Path("x")])
def test_digest_refuses_what_json_cannot_hold(value: object):
    with pytest.raises(BenchError, match="cannot be stored as JSON"):
        digest({"a": value})


def test_file_digest(tmp_path: Path):
    (tmp_path / "f").write_bytes(b"abc")
    assert file_digest(tmp_path / "f") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    with pytest.raises(StoreError, match="cannot be read"):
        file_digest(tmp_path / "missing")


def test_record_survives_the_round_trip(tmp_path: Path):
    written = record(metrics={"test_top1": 0.1 + 0.2}, macs=3_999_999)
    write_record(tmp_path, written)
    read = read_record(tmp_path)
    assert read is not None and read.model_copy(update={"digest": None}) == written
    assert json.loads((tmp_path / "record.json").read_text())["schema"] == 2
    assert read_record(tmp_path / "elsewhere") is None


def test_complete_record_is_not_overwritten(tmp_path: Path):
    write_record(tmp_path, record())
    with pytest.raises(StoreError, match="--force"):
        write_record(tmp_path, record(key="other"))
    write_record(tmp_path, record(key="other"), force=True)
    assert read_record(tmp_path).key == "other"  # type: ignore[union-attr]
    attempts = [path for path in tmp_path.iterdir() if path.name != "record.json"]
    assert [json.loads(path.read_text())["key"] for path in attempts] == ["k"]


def test_failed_record_gives_way_and_is_kept(tmp_path: Path):
    write_record(tmp_path, record(status="failed", error={"type": "E", "message": "m", "traceback": ""}))
    write_record(tmp_path, record())
    assert read_record(tmp_path).status == "complete"  # type: ignore[union-attr]
    assert len(list(tmp_path.glob("record.*Z.json"))) == 1


def test_nan_metric_is_refused_rather_than_stored_as_null(tmp_path: Path):
    with pytest.raises(BenchError):
        write_record(tmp_path, record(metrics={"test_top1": math.nan}))
    assert list(tmp_path.iterdir()) == []


def test_torn_and_newer_records_are_named(tmp_path: Path):
    path = tmp_path / "record.json"
    write_record(tmp_path, record())
    written = path.read_text()
    path.write_text(written[: len(written) // 2])
    with pytest.raises(StoreError, match="is not a readable record"):
        read_record(tmp_path)
    path.write_text(json.dumps(json.loads(written) | {"schema": 3, "unheard_of": 1}))
    with pytest.raises(StoreError, match="schema 3, this program reads up to 2"):
        read_record(tmp_path)
    path.write_text(json.dumps(json.loads(written) | {"schema": 3}))
    with pytest.raises(StoreError, match="schema 3, this program reads up to 2"):
        read_record(tmp_path)
    with pytest.raises(StoreError, match="schema 3, this program reads up to 2"):
        read_head(tmp_path)


def test_a_head_is_read_without_the_rest(tmp_path: Path):
    path = tmp_path / "record.json"
    assert read_head(tmp_path) is None
    write_record(tmp_path, record(metrics={"test_top1": 0.5}))
    head = read_head(tmp_path)
    assert head == RecordHead.model_validate(record(metrics={"test_top1": 0.5}).model_dump(by_alias=True))
    assert type(head) is RecordHead and head.metrics == {"test_top1": 0.5}
    written = json.loads(path.read_text())
    path.write_text(json.dumps(written | {"budget": "much"}))
    assert read_head(tmp_path) == head
    with pytest.raises(StoreError, match="is not a record: budget: "):
        read_record(tmp_path)
    path.write_text(json.dumps(written | {"status": "well"}))
    with pytest.raises(StoreError, match="is not a record: status: "):
        read_head(tmp_path)


def test_iter_records_walks_suites_and_passes_over_phases(tmp_path: Path):
    for seed in (1, 0):
        write_record(cell_folder(tmp_path, "s", "d", "m", 4_000_000, seed), record(seed=seed))
    phase = phase_folder(tmp_path, "s", "supernet", "0123456789abcdef")
    write_record(phase, record(seed=9))
    assert phase == tmp_path / "s/phases/supernet-0123456789ab"
    assert [r.seed for r in iter_records(tmp_path)] == [0, 1]
    assert [r.seed for r in iter_records(tmp_path / "s/d/m/4M-s1")] == [1]
    assert list(iter_records(tmp_path / "absent")) == []


@pytest.mark.parametrize(
    ("macs", "text"),
    [
        (4_000_000, "4M"),
        (1_800_000_000, "1.8G"),
        (4_000_001, "4.000001M"),
        (999, "999"),
        (1500, "1.5K"),
        (10**13, "10T"),
    ],
)
def test_budget_text_is_exact_both_ways(macs: int, text: str):
    assert format_budget(macs) == text
    assert parse_budget(text) == macs
    assert parse_budget(macs) == macs


def test_budget_forms():
    assert parse_budget("4m") == parse_budget("4e6") == parse_budget(4e6) == parse_budget(" 4 M") == 4_000_000


@pytest.mark.parametrize("value", ["", "four", "-4M", 0, "0.5", True, "1.23456789M", "4Q"])
def test_wrong_budgets(value: object):
    with pytest.raises(UsageError, match="budget"):
        parse_budget(value)  # type: ignore[arg-type]


def test_claim_is_exclusive_until_released(tmp_path: Path):
    with Claims(tmp_path / "c") as first, Claims(tmp_path / "c") as second:
        assert first.take("cell")
        assert not second.take("cell")
        assert second.take("other")
        first.release("cell")
        assert second.take("cell")
    assert list((tmp_path / "c").iterdir()) == []


def test_claim_of_a_dead_process_is_taken_over_at_once_and_once(tmp_path: Path):
    script = "import sys; from pathlib import Path; from trionet_bench.records.claims import Claims; import os\n"
    script += "c = Claims(Path(sys.argv[1])).__enter__(); assert c.take('cell'); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert [path.name for path in tmp_path.iterdir()] == ["cell.0"]
    with Claims(tmp_path) as first, Claims(tmp_path) as second:
        assert first.take("cell")
        assert not second.take("cell")
        first.release("cell")
        assert list(tmp_path.iterdir()) == []
        assert second.take("cell")


class Clock:
    """A monotonic clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("age", [-300, 0, 300, 10**6])
def test_claim_of_another_machine_is_void_when_it_did_not_change_while_it_was_watched(tmp_path: Path, age: float):
    claim, clock = tmp_path / "cell.0", Clock()
    claim.write_bytes(owner_line(host="elsewhere/boot"))
    os.utime(claim, (time.time() - age,) * 2)  # whatever the other machine thinks the time is
    with Claims(tmp_path, clock) as mine:
        assert not mine.take("cell")
        clock.now += STALE_AFTER
        assert not mine.take("cell")
        clock.now += 1
        assert mine.take("cell")


def test_claim_of_another_machine_lives_as_long_as_its_counter_moves(tmp_path: Path):
    claim, clock = tmp_path / "cell.0", Clock()
    with Claims(tmp_path, clock) as mine:
        for beats in range(20):
            claim.write_bytes(owner_line(beats, host="elsewhere/boot", token="0" * 16))
            os.utime(claim, (0, 0))  # its clock stands still
            assert not mine.take("cell")
            clock.now += STALE_AFTER
        clock.now += 1
        assert mine.take("cell")


def test_a_beat_changes_the_claim_and_not_its_holder(tmp_path: Path):
    with Claims(tmp_path) as mine, Claims(tmp_path) as other:
        assert mine.take("cell")
        before = (tmp_path / "cell.0").read_text().split()
        mine.beat()
        mine.beat()
        after = (tmp_path / "cell.0").read_text().split()
        assert after[:3] == before[:3]
        assert (int(before[3]), int(after[3])) == (0, 2)
        assert not other.take("cell")


def test_a_holder_that_was_taken_for_dead_learns_it_at_its_next_beat(tmp_path: Path):
    clock = Clock()
    with Claims(tmp_path) as sleeper, Claims(tmp_path, clock) as other:
        assert sleeper.take("cell")
        assert not other.take("cell")
        clock.now += STALE_AFTER + 1
        assert other.take("cell")
        assert sleeper.lost() == frozenset()  # not yet
        sleeper.beat()
        other.beat()
        assert (sleeper.lost(), other.lost()) == ({"cell"}, set())
        sleeper.release("cell")
        assert (sleeper.lost(), other.take("cell")) == (set(), False)  # it is still the other's


def test_a_claim_that_somebody_removed_is_lost(tmp_path: Path):
    with Claims(tmp_path) as mine:
        assert mine.take("cell")
        (tmp_path / "cell.0").unlink()
        mine.beat()
        assert mine.lost() == {"cell"}


def owner_line(beats: int = 0, **changes: object) -> bytes:
    """The line of a runner like this one but for ``changes``."""
    return replace(Owner.here(), **changes).line(beats)


NOBODY = 2**22 + 1  # a number that no process has


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no claim",
        b"\xff\xfe",
        b"{host} x/1 {token} 000000000000\n",
        b"{host} 1/1 000000000000\n",  # without a token, as claims once were
        b"{host} " + b"9" * 5000 + b"/1 {token} 000000000000\n",
        b"{host} 1/" + b"1" * 5000 + b" {token} 000000000000\n",
        "{host} \u0663/1 {token} 000000000000\n".encode(),
    ],
)
def test_a_garbled_claim_is_watched(tmp_path: Path, content: bytes):
    clock = Clock()
    with Claims(tmp_path, clock) as mine:
        names = {b"{host}": mine.owner.host.encode(), b"{token}": mine.owner.token.encode()}
        for name, value in names.items():
            content = content.replace(name, value)
        (tmp_path / "cell.0").write_bytes(content)
        assert not mine.take("cell")
        clock.now += STALE_AFTER + 1
        assert mine.take("cell")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_a_claim_that_is_no_file_is_watched(tmp_path: Path, make: Callable[[Path], None]):
    clock = Clock()
    with Claims(tmp_path, clock) as mine:
        make(tmp_path / "cell.0")
        assert not mine.take("cell")
        clock.now += STALE_AFTER + 1
        assert mine.take("cell")


def test_a_process_of_another_container_on_this_machine_is_not_taken_for_dead(tmp_path: Path):
    with Claims(tmp_path) as mine:
        other = mine.owner.host.rsplit("/", 1)[0] + "/pid:[1]"
        (tmp_path / "cell.0").write_bytes(owner_line(host=other, process=NOBODY))
        assert not mine.take("cell")


def test_a_copy_of_this_machine_with_the_same_names_is_not_taken_for_dead(tmp_path: Path):
    # Host, boot and process space are ours, as in a copy of a virtual machine; only the mark of its token is not here.
    with Claims(tmp_path) as mine:
        elsewhere = Owner.here()
        (tmp_path / "cell.0").write_bytes(replace(elsewhere, process=NOBODY).line(0))
        assert not mine.take("cell")
        elsewhere.leave_mark()  # the same claim, of a process that did run here
        assert mine.take("cell")
        mine.release("cell")
    elsewhere.leave_mark()  # for comparison: the mark was removed with the claim
    assert replace(elsewhere, process=NOBODY).is_gone()
    elsewhere.remove_mark()
    assert not replace(elsewhere, process=NOBODY).is_gone()


def test_marks_are_removed_with_the_last_claim_of_their_runner(tmp_path: Path):
    dead = replace(Owner.here(), process=NOBODY)
    dead.leave_mark()
    for name in ("a", "b"):
        (tmp_path / f"{name}.0").write_bytes(dead.line(0))
    with Claims(tmp_path) as mine:
        assert mine.take("a")
        mine.release("a")
        assert dead.is_gone()  # "b" is still to be taken over
        assert mine.take("b")
        mine.release("b")
        assert not dead.is_gone()


def test_a_runner_that_was_taken_for_dead_leaves_alone_what_is_no_longer_its_own(tmp_path: Path):
    clock = Clock()
    with Claims(tmp_path) as slept, Claims(tmp_path, clock) as second, Claims(tmp_path) as third:
        assert slept.take("cell")
        assert not second.take("cell")
        clock.now += STALE_AFTER + 1
        assert second.take("cell")
        second.release("cell")
        assert third.take("cell")
        held = (tmp_path / "cell.0").read_bytes()
        slept.beat()
        slept.release("cell")
        assert (tmp_path / "cell.0").read_bytes() == held
        assert not second.take("cell")


def test_a_claim_on_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with Claims(tmp_path) as mine:
        with monkeypatch.context() as patch:
            patch.setattr(Path, "write_bytes", full)
            with pytest.raises(StoreError, match=r"cell\.0 could not be written: No space left on device"):
                mine.take("cell")
        assert list(tmp_path.iterdir()) == []
        assert mine.take("cell")


def test_claims_in_a_folder_that_was_moved_say_so(tmp_path: Path):
    with Claims(tmp_path / "claims") as mine:
        (tmp_path / "claims").rename(tmp_path / "elsewhere")
        with pytest.raises(StoreError, match="Was the results folder moved during the run"):
            mine.take("cell")


def test_a_claim_is_never_seen_without_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # A kill in the middle of writing must not leave an empty claim, for whose holder others would wait for minutes.
    def killed(draft: Path, content: bytes) -> None:
        os.close(os.open(draft, os.O_CREAT | os.O_WRONLY))
        raise SystemExit

    claims = Claims(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", killed)
        with pytest.raises(SystemExit):
            claims.take("a")
    assert list(tmp_path.iterdir()) == []
    assert claims.take("a")


def test_claims_on_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def no_links(source: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    first, second = Claims(tmp_path), Claims(tmp_path)
    assert first.take("a")
    assert not second.take("a")
    first.release("a")
    assert second.take("a")


def test_predictions_that_unpack_to_too_much_are_refused_before_they_are(tmp_path: Path):
    path = tmp_path / "predictions.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed, packed.open("labels.npy", "w") as file:
        for _ in range(2**8 + 1):
            file.write(bytes(2**20))
    assert path.stat().st_size < 2**20
    with pytest.raises(DamagedFile, match=r"predictions\.npz is not a file of predictions: it unpacks to .*B\."):
        read_columns(path)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"labels": np.zeros(3), "predictions": np.zeros(4)}, "its columns have 3, 4 rows"),
        ({"labels": np.array(["a"])}, "labels is no column of numbers"),
        ({"labels": np.float64(1)}, "labels is no column of numbers"),
        ({"labels": np.array([None])}, "allow_pickle=False"),
    ],
)
def test_predictions_are_columns_of_numbers_of_one_length(tmp_path: Path, columns: dict[str, np.ndarray], words: str):
    np.savez(tmp_path / "predictions.npz", **columns)
    with pytest.raises(DamagedFile, match=words):
        read_columns(tmp_path / "predictions.npz")
