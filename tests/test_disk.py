"""Snapshots on disk: the same bits, the budget kept, and no file left, however a call ends."""

from __future__ import annotations

import inspect
import os
import resource
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import myia
from myia import grad, value_and_grad
from myia._runtime import memory_stats
from myia.errors import SnapshotFile, UnknownArgument
from myia.runtime.disk import Files, identity
from myia.runtime.snapshots import Budget, Checkpoints
from tests.budget_programs import PROGRAMS, recurrence, stencil
from tests.programs import PROGRAMS as TABLE
from tests.programs import inplace, inplace_algorithms, some
from tests.test_budget import allowed, check_clean, counted, live, measured, within
from tests.test_checkpoints import run
from tests.test_optimise import check_same


def loops(function: Any) -> bool:
    source = inspect.getsource(function if inspect.isroutine(function) else type(function))
    return bool({"for", "while"} & set(source.split()))


ROWS = some([r for r in (*TABLE, *inplace.PROGRAMS, *inplace_algorithms.PROGRAMS) if loops(r.function)], 2)
X = PROGRAMS[0].args[0]


@pytest.mark.parametrize("row", PROGRAMS, ids=[row.name for row in PROGRAMS])
def test_the_same_bits_within_the_budget(row, tmp_path):
    plain, _ = measured(value_and_grad(row.function), *row.args)
    lowest = allowed(row.function, row.args, 1, disk=tmp_path)
    for more in (0, 1, 2, 5, 30):
        budget = lowest + more * row.args[0].nbytes
        df = within(row.function, budget, disk=tmp_path)
        for _ in range(2):
            found, peak = measured(df, *row.args)
            check_same(found, plain)
            assert peak <= budget
            assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "row, room", [(row, 1 + k % 2) for k, row in enumerate(ROWS)], ids=[row.name for row in ROWS]
)
def test_programs_from_files(row, room, tmp_path, monkeypatch):
    """With room for one state, or two, whatever the budget."""
    plain = run(row)
    monkeypatch.setattr(Checkpoints, "_room", lambda self: room)
    check_same(run(row, memory="minimal", disk=tmp_path), plain)
    assert os.listdir(tmp_path) == []


class Limited(Checkpoints):
    room = 1

    def _room(self) -> int:
        return self.room


@pytest.mark.parametrize("room", [1, 2, 3, 7])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("written", [True, False])
def test_no_iteration_is_run_again_more_than_once(room, known, written, tmp_path):
    for steps in range(31):
        files = Files(str(tmp_path))
        plan = Limited(Budget(None, files=files), ("", 0), steps if known else None, 0, 0, 1, False)
        plan.room = room
        x = myia.asarray(np.zeros(100))
        for k in range(steps):
            x = _head(plan, x, k, written)
            if k:
                assert len(plan.kept) + files.pending <= max(room, 1)
        plan.end()
        again = [0] * steps
        for at, stop in plan.reversed():
            (state,) = plan.state()
            x = x if written else state
            assert x[0] == at
            for k in range(at, stop):
                x = _head(plan, x, k, written)
                again[k] += 1
                assert len(plan.kept) <= room
            plan.turn()
            assert x[0] == stop
        assert max(again, default=0) <= 1
        assert not plan.kept
        assert not plan.filed
        files.close()
    assert os.listdir(tmp_path) == []


def _head(plan: Checkpoints, x: Any, k: int, written: bool) -> Any:
    """An iteration that adds one, in place or not."""
    plan.head((k if written else x,), (x,) if written else ())
    if written:
        x += 1.0
        return x
    return x + 1.0


# -- what goes to a file ------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    shape=st.lists(st.integers(0, 4), min_size=0, max_size=4),
    dtype=st.sampled_from(["f8", "f4", "f2", "i8", "i1", "?", "c16", ">f8", "M8[s]", "O"]),
    seed=st.integers(0, 1000),
    native=st.booleans(),
)
def test_arrays_come_back_as_they_were(shape, dtype, seed, native, tmp_path):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 100, shape).astype(dtype)
    x = np.transpose(x, rng.permutation(len(shape)))
    if native and dtype in ("f8", "f4", "i8", "?"):
        x = myia.asarray(x)
    files = Files(str(tmp_path))
    given = {"x": x, "others": [x, (x, 3.5, "text")], "gaps": x[..., ::2] if len(shape) else x}
    found, (copied,) = files.take(files.put(given, set(), [x]))
    files.close()
    for y in (found["x"], found["others"][0], found["others"][1][0], copied):
        assert type(y) is type(x)
        assert y.dtype == x.dtype
        assert y.shape == x.shape
        assert y.size == 0 or strides(y) == strides(x)
        assert np.asarray(y).tobytes() == np.asarray(x).tobytes() or dtype == "O"
    assert found["others"][1][1:] == (3.5, "text")
    assert not given["gaps"].size or strides(found["gaps"]) == strides(given["gaps"])


def strides(x: Any) -> list[int]:
    """Those that matter."""
    return [s for s, n in zip(x.strides, x.shape, strict=True) if n > 1]


def test_arrays_that_are_written_in_place_stay(tmp_path):
    files = Files(str(tmp_path))
    x = myia.asarray(np.arange(10.0))
    filed = files.put((x, x[2:5], 1.0), {identity(x)}, [x])
    (same, view, _), (copy,) = files.take(filed)
    files.close()
    assert same is x
    assert identity(view) == identity(x)
    assert identity(copy) != identity(x)
    assert filed.bytes == 80


# -- failures -----------------------------------------------------------------------------------------


@pytest.fixture
def df(tmp_path):
    lowest = allowed(recurrence, (X, 12), 1, disk=tmp_path)
    return value_and_grad(recurrence, memory=lowest + 2 * X.nbytes, disk=tmp_path)


def between_the_sweeps(monkeypatch, change):
    """Do something with the files of the snapshots when the first sweep has ended."""

    def end(self, steps=None, original=Checkpoints.end):
        original(self, steps)
        change([filed.path for _, _, filed in self.filed])

    monkeypatch.setattr(Checkpoints, "end", end)


def flip(paths):
    with open(paths[1], "r+b") as file:
        file.seek(1000)
        byte = file.read(1)
        file.seek(1000)
        file.write(bytes([byte[0] ^ 1]))


def cut(paths):
    os.truncate(paths[1], 1000)


def lose(paths):
    os.unlink(paths[1])


@pytest.mark.parametrize("change", [flip, cut, lose])
def test_a_file_that_was_changed_is_noticed(df, change, tmp_path, monkeypatch):
    expected = df(X, 12)
    before = live()
    between_the_sweeps(monkeypatch, change)
    with pytest.raises(SnapshotFile, match="could not be read") as caught:
        df(X, 12)
    assert "1.snapshot" in caught.value.summary
    assert caught.value.remedy
    assert isinstance(caught.value, OSError)
    del caught
    monkeypatch.undo()
    assert os.listdir(tmp_path) == []
    check_clean(df, (X, 12), before, expected)


def test_a_disk_that_is_full(df, tmp_path):
    expected = df(X, 12)
    before = live()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(SnapshotFile, match="could not be written"):
            df(X, 12)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(tmp_path) == []
    check_clean(df, (X, 12), before, expected)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(SnapshotFile, match="no snapshots can be kept") as caught:
        grad(recurrence, memory="1 MB", disk=tmp_path / "nowhere")(X, 12)
    assert caught.value.reason
    assert "disk=" in caught.value.remedy


@pytest.mark.parametrize("error", [ValueError("told to"), KeyboardInterrupt()])
@pytest.mark.parametrize("at", [1, 11])
def test_a_failure_leaves_no_file_and_no_thread(error, at, tmp_path):
    lowest = allowed(counted, (X, 15, -1, error), 1, disk=tmp_path)
    df = value_and_grad(counted, memory=lowest, disk=tmp_path)
    expected = df(X, 15, -1, error)
    before = live()
    with pytest.raises(type(error)):
        df(X, 15, at, error)
    error.__traceback__ = error.__context__ = None
    assert os.listdir(tmp_path) == []
    assert not [t for t in threading.enumerate() if t.name.startswith("myia snapshots")]
    check_clean(df, (X, 15, -1, error), before, expected)


def test_files_are_there_while_the_call_runs(df, tmp_path, monkeypatch):
    seen: list[int] = []
    between_the_sweeps(monkeypatch, lambda paths: seen.append(sum(map(os.path.getsize, paths))))
    df(X, 12)
    assert seen[0] > 2 * X.nbytes
    assert seen[0] % X.nbytes == 0


@pytest.mark.parametrize(
    ("options", "match"),
    [({"disk": "/tmp"}, "without memory="), ({"disk": 3, "memory": "1 MB"}, "no folder")],
)
def test_disk_that_makes_no_sense_is_refused(options, match):
    for differentiate in (grad, value_and_grad):
        with pytest.raises(UnknownArgument, match=match) as caught:
            differentiate(recurrence, **options)
        assert caught.value.reason
        assert caught.value.remedy


def test_a_report_tells_what_is_on_disk(tmp_path):
    for function, x in ((recurrence, X), (stencil, np.abs(X) + 0.2)):
        lowest = allowed(function, (x, 40), 1, disk=tmp_path)
        report = grad(function).memory_report(x, 40, memory=lowest, disk=tmp_path)
        (loop,) = report.loops.values()
        assert loop.filed * x.nbytes == loop.file_bytes > 0
        assert loop.advanced <= loop.steps
        assert report.peak <= lowest
        assert "on disk" in str(report)
    assert memory_stats()["live"] >= 0
