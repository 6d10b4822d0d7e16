"""Work on other threads: futures, memory, many threads at once, signals, forks, the end of the process, traces."""

from __future__ import annotations

import gc
import io
import json
import os
import pathlib
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import myia
import myia.runtime as rt
from myia import _runtime
from tests.runtime.native.arrays import same, values
from tests.runtime.native.conftest import restore


@pytest.fixture(autouse=True)
def queued() -> Iterator[None]:
    _runtime.set_inline_limit(0)
    yield
    restore()


BIG = 1_000_000


def slow(a: Any, times: int = 8) -> Any:
    """Some tens of milliseconds of pending work."""
    for _ in range(times):
        a = _runtime.operators["arctanh"](_runtime.operators["tanh"](a))
    return a


# -- futures -----------------------------------------------------------------------------------------------


def test_form_is_known_while_the_contents_are_pending() -> None:
    a = myia.asarray(np.linspace(-1, 1, BIG))
    began = time.perf_counter()
    b = slow(a, 20)
    submitted = time.perf_counter() - began
    seen = (b.shape, b.dtype, b.strides, b.ndim, b.size, b.nbytes, b.itemsize, b.ready(), len(b), b.T.shape, b[1:].shape, b[None].ndim,
            b.reshape(1000, -1).shape, _runtime.Shadows().has(b), b.shares_storage(a), (b + 1.0).shape, b.mean(keepdims=True).shape)  # fmt: skip
    looked = time.perf_counter() - began
    assert seen[:8] == ((BIG,), np.dtype("f8"), (8,), 1, BIG, 8 * BIG, 8, False)
    b.wait()
    took = time.perf_counter() - began
    assert b.ready()
    assert looked < took / 2, (submitted, looked, took)


def test_wait_gives_the_array() -> None:
    a = slow(myia.asarray(np.zeros(1000)))
    assert a.wait() is a
    _runtime.wait_all()
    assert _runtime.memory_stats()["in_flight"] == 0


def test_counts() -> None:
    before = _runtime.counts()
    a = slow(myia.asarray(np.zeros(1000)), 5)
    a.wait()
    _runtime.wait_all()
    after = _runtime.counts()
    assert after["submitted"] - before["submitted"] == 10
    assert after["finished"] - before["finished"] == 10
    assert after["failed"] == before["failed"]


@pytest.mark.parametrize("workers", [0, 1, 2, 3, 4])
def test_any_number_of_workers(workers: int) -> None:
    x = values(np.dtype("f8"), 100_003, 1, False)
    a = slow(myia.asarray(x), 1)
    _runtime.set_workers(workers)  # with work pending
    assert _runtime.workers() == workers
    _runtime.set_split_size(64)
    expected = np.sqrt(np.abs(x * 2.0 + x)).sum()
    for _ in range(3):
        b = myia.asarray(x)
        assert _runtime.operators["sqrt"](abs(b * 2.0 + b)).sum() == expected
    with np.errstate(all="ignore"):
        same(a, np.arctanh(np.tanh(x)))
    with pytest.raises(ValueError, match="0 or more"):
        _runtime.set_workers(-1)


def test_orders() -> None:
    x = np.arange(1000.0)
    for order in ("lifo", "fifo"):
        _runtime.set_order(order)
        a = myia.asarray(x)
        for k in range(50):
            a = a + float(k)
        same(a, x + 1225.0)
    with pytest.raises(ValueError, match="fifo"):
        _runtime.set_order("random")


def test_reads_and_writes_are_ordered() -> None:
    """Read after write, write after read, write after write, on overlapping views."""
    random = np.random.default_rng(0)
    x = values(np.dtype("f8"), 400, 1, False)
    a = myia.asarray(x.copy()).copy()
    expected = x.copy()
    copies: list[Any] = []
    for _ in range(400):
        i, j = sorted(random.integers(0, 401, 2))
        k = int(random.integers(0, 401 - (j - i)))
        what = random.integers(0, 4)
        if what == 0:
            a[i:j] += 1.0
            expected[i:j] += 1.0
        elif what == 1:
            a[i:j] = a[k : k + j - i]
            expected[i:j] = expected[k : k + j - i]
        elif what == 2:
            copies.append((a[i:j] * 2.0, expected[i:j] * 2.0))
        else:
            _runtime.operators["multiply"](a[k : k + j - i], 0.5, out=a[i:j])
            np.multiply(expected[k : k + j - i], 0.5, out=expected[i:j])
    for found, wanted in copies:
        same(found, wanted)
    same(a, expected)


# -- memory -------------------------------------------------------------------------------------------------


def level() -> int:
    gc.collect()
    _runtime.wait_all()
    return _runtime.memory_stats()["live"]


def test_memory_returns_to_its_level() -> None:
    x = np.ones((100, 100))

    def work() -> None:
        a = myia.asarray(x.copy())
        b = (a @ a + a).sum(0) * 2.0
        c = _runtime.where(a > 0, a, 0.0)
        _runtime.Shadows().of(c)
        _runtime.concatenate([a, c])[np.array([0, 5, 3])]
        a[1:].T.copy().reshape(-1)
        np.linalg.norm(a)
        a += b
        with pytest.raises(IndexError):
            a[np.array([1000])].wait()
        with pytest.raises(ValueError, match="broadcast"):
            a + myia.asarray(np.ones(7))

    work()
    before = level()
    for _ in range(50):
        work()
    assert level() == before


def test_the_references_of_objects_return() -> None:
    x = np.ones(1000)
    before = sys.getrefcount(x)
    for _ in range(20):
        a = myia.asarray(x)
        b = slow(a, 1)
        np.asarray(a)
        _runtime.Shadows().of(a)
        del a
        b.wait()
        del b
    _runtime.wait_all()
    myia.asarray(np.ones(1)) + 1.0  # noqa: B018 - lets go of what workers dropped
    _runtime.wait_all()
    assert sys.getrefcount(x) == before


def test_peak_of_a_long_loop_is_flat() -> None:
    a = myia.asarray(np.ones(BIG))
    one = myia.asarray(np.full(BIG, 1e-3))
    _runtime.wait_all()
    _runtime.reset_peak()
    start = _runtime.memory_stats()["live"]
    for _ in range(1000):
        a = a + one
    a.wait()
    peak = _runtime.memory_stats()["peak"] - start
    assert abs(float(a[7]) - 2.0) < 1e-9
    assert peak <= _runtime.in_flight_bound() + 10 * 8 * BIG
    del a, one
    _runtime.trim()


def test_bytes_in_flight_are_bounded() -> None:
    bound = _runtime.in_flight_bound()
    _runtime.set_in_flight_bound(20_000_000)
    try:
        a = myia.asarray(np.linspace(0, 0.9, BIG))
        _runtime.wait_all()
        kept = [_runtime.operators["tanh"](a) for _ in range(8)]
        assert _runtime.memory_stats()["in_flight"] <= 20_000_000 + 8 * BIG
        for one in kept:
            one.wait()
    finally:
        _runtime.set_in_flight_bound(bound)


def test_deletion_in_flight() -> None:
    for _ in range(30):
        a = slow(myia.asarray(np.ones(50_000)), 2)
        b = a + 1.0
        del a
        del b
    x = np.ones(50_000)
    a = myia.asarray(x)
    b = slow(a, 2)
    del a, x
    gc.collect()
    assert np.isfinite(b[0])


# -- failures ------------------------------------------------------------------------------------------------


def test_failures_spread_and_are_forgotten() -> None:
    a = myia.asarray(np.arange(10.0))
    bad = a[np.array([99])]
    worse = (bad * 2.0).reshape(1, 1) + 1.0
    for use in (
        worse.wait,
        lambda: np.asarray(worse),
        lambda: worse.sum(),
        lambda: bad[0],
        lambda: print(bad),
    ):
        with pytest.raises(IndexError, match="out of bounds"):
            use()
    out = _runtime.empty((1,), "f8")
    _runtime.operators["add"](bad, 1.0, out=out)
    with pytest.raises(IndexError):
        out.wait()
    _runtime.operators["add"](a[:1], 1.0, out=out)  # written anew
    assert out.tolist() == [1.0]
    assert a.tolist() == list(range(10))
    del bad, worse, out
    _runtime.wait_all()


def test_error_state_of_threads() -> None:
    zero = myia.asarray(np.zeros(1000))
    outcomes: dict[str, Any] = {}

    def work(how: str) -> None:
        with np.errstate(divide=how):
            for _ in range(20):
                try:
                    np.asarray(1.0 / zero)
                    outcomes.setdefault(how, "quiet")
                except FloatingPointError:
                    outcomes.setdefault(how, "raised")

    threads = [threading.Thread(target=work, args=(how,)) for how in ("ignore", "raise")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == {"ignore": "quiet", "raise": "raised"}


# -- many threads --------------------------------------------------------------------------------------------


def test_threads_submit_at_once() -> None:
    x = values(np.dtype("f8"), 5000, 1, False)

    def work(seed: int) -> bool:
        random = np.random.default_rng(seed)
        a, expected = myia.asarray(x), x
        for _ in range(60):
            factor = float(random.normal())
            a = abs(a * factor + x) - 0.5
            expected = np.abs(expected * factor + x) - 0.5
            if random.random() < 0.2:
                a[10:20] = a[30:40]
                expected[10:20] = expected[30:40]
            if random.random() < 0.1 and a.sum() != expected.sum():
                return False
        return bool(np.array_equal(a, expected))

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(work, range(24)))


def loss(w: Any, x: Any) -> Any:
    h = np.tanh(x @ w)
    return (h * h).sum() + (w * w).mean()


def test_gradients_at_once() -> None:
    gradient = myia.value_and_grad(loss)
    cases = [
        (
            values(np.dtype("f8"), 1200, k, False).reshape(30, 40),
            values(np.dtype("f8"), 6000, k + 50, False).reshape(200, 30),
        )
        for k in range(6)
    ]
    expected = [gradient(w, x) for w, x in cases]

    def work(k: int) -> bool:
        w, x = cases[k % 6]
        value, d_w = gradient(myia.asarray(w), myia.asarray(x)) if k % 2 else gradient(w, x)
        wanted, d_wanted = expected[k % 6]
        return bool(
            np.allclose(value, wanted, rtol=1e-12)
            and np.allclose(np.asarray(d_w), np.asarray(d_wanted), rtol=1e-9)
        )

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(36)))


def test_one_array_waited_for_by_many() -> None:
    a = slow(myia.asarray(np.ones(300_000) * 0.5), 3)
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: float(np.asarray(a).sum()), range(16)))
    assert len(found) == 1


# -- other processes, the end of this one ---------------------------------------------------------------------

PREAMBLE = """
import numpy as np, os, signal, sys, threading, time
import myia
from myia import _runtime
def slow(a, times):
    for _ in range(times):
        a = _runtime.operators["arctanh"](_runtime.operators["tanh"](a))
    return a
_runtime.set_inline_limit(0)
_runtime.set_in_flight_bound(1 << 40)
"""


def script(text: str, timeout: float = 50.0) -> tuple[int, str, str, float]:
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PREAMBLE + textwrap.dedent(text)],
        capture_output=True, text=True, timeout=timeout, cwd=pathlib.Path(__file__).parents[3], check=False,
        env={**os.environ, "PYTHONFAULTHANDLER": "1"},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr, time.perf_counter() - began


def test_interrupt_while_waiting() -> None:
    code, out, err, _ = script("""
        a = slow(myia.asarray(np.full(1_000_000, 0.5)), 120)
        threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        began = time.perf_counter()
        try:
            a.wait()
            print("never")
        except KeyboardInterrupt:
            print("interrupted", time.perf_counter() - began < 3)
        print(float((myia.asarray(np.ones(3)) + 1.0)[0]) if False else "usable")
    """)
    assert out.split() == ["interrupted", "True", "usable"], (out, err)
    assert code == 0
    assert not err


def test_exit_with_work_pending() -> None:
    code, out, err, took = script("""
        a = slow(myia.asarray(np.full(1_000_000, 0.5)), 1500)
        b = a[1:]
        print("leaving", flush=True)
    """)
    assert (code, out, err) == (0, "leaving\n", "")
    assert took < 20


@pytest.mark.parametrize("how", ["sys.exit(3)", "os._exit(3)", "raise SystemExit(3)"])
def test_exits(how: str) -> None:
    code, _, err, took = script(f"""
        a = slow(myia.asarray(np.full(1_000_000, 0.5)), 2000)
        {how}
    """)
    assert (code, err) == (3, "")
    assert took < 20


def test_exit_while_a_thread_waits() -> None:
    code, _, err, took = script("""
        a = slow(myia.asarray(np.full(1_000_000, 0.5)), 2000)
        threading.Thread(target=a.wait, daemon=True).start()
        time.sleep(0.1)
    """)
    assert (code, err) == (0, "")
    assert took < 20


FORKED = """
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # Python warns of forks with threads
"""


def test_fork_with_work_pending() -> None:
    code, out, err, _ = script(
        FORKED
        + """
        x = np.full(300_000, 0.5)
        a = slow(myia.asarray(x), 20)
        child = os.fork()
        if not child:
            good = abs(float(a[5]) - 0.5) < 1e-9
            b = myia.asarray(x) * 2.0 + 1.0
            good = good and np.array_equal(b, x * 2.0 + 1.0) and b.sum() == (x * 2.0 + 1.0).sum()
            good = good and np.allclose(np.asarray(myia.asarray(np.eye(200)) @ myia.asarray(np.eye(200))), np.eye(200))
            os._exit(0 if good else 1)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), abs(float(a[5]) - 0.5) < 1e-9)
    """
    )
    assert (code, out, err) == (0, "0 True\n", "")


def test_multiprocessing_fork() -> None:
    code, out, err, _ = script(
        FORKED
        + """
        import multiprocessing
        x = np.arange(100_000.0)
        pending = slow(myia.asarray(x / 1e6), 5)
        def work(k):
            return float((myia.asarray(x) * float(k) + 1.0).sum())
        with multiprocessing.get_context("fork").Pool(2) as pool:
            found = pool.map(work, range(6))
        print(found == [float((x * float(k) + 1.0).sum()) for k in range(6)])
        pending.wait()
    """
    )
    assert (code, out, err) == (0, "True\n", "")


def test_fork_from_a_thread_and_again() -> None:
    code, out, err, _ = script(
        FORKED
        + """
        def children(depth):
            a = slow(myia.asarray(np.full(10_000, 0.5)), 3)
            child = os.fork()
            if not child:
                good = abs(float((a + 1.0)[0]) - 1.5) < 1e-9 and (depth == 0 or children(depth - 1) == 0)
                os._exit(0 if good else 1)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        thread = threading.Thread(target=lambda: print(children(2)))
        thread.start()
        thread.join()
    """
    )
    assert (code, out, err) == (0, "0\n", "")


def test_shutdown_and_use() -> None:
    code, out, err, _ = script("""
        a = myia.asarray(np.ones(1000)) + 1.0
        a.wait()
        _runtime.shutdown()
        try:
            b = myia.asarray(np.ones(1000)) + 1.0
            print(b.sum())
        except RuntimeError as error:
            print("refused")
    """)
    assert code == 0, err
    assert out in ("2000.0\n", "refused\n")


# -- traces ----------------------------------------------------------------------------------------------------


def test_trace(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "trace.json"
    with rt.trace(path):
        a = myia.asarray(np.ones(50_000))
        b = a * 2.0  # TRACED
        (b.reshape(250, 200) @ b.reshape(200, 250)).wait()
        b.wait()
    events = json.loads(path.read_text(encoding="utf-8"))["traceEvents"]
    kernels = [event for event in events if event["ph"] == "X" and event["cat"] == "kernel"]
    assert {"multiply", "matmul"} <= {event["name"] for event in kernels}
    multiply = next(event for event in kernels if event["name"] == "multiply")
    line = next(
        n
        for n, text in enumerate(pathlib.Path(__file__).read_text(encoding="utf-8").splitlines(), 1)
        if "# TRACED" in text
    )
    assert multiply["args"]["line"] == f"test_threads.py:{line}"
    assert all(event["dur"] >= 0 and event["args"]["begun after us"] >= 0 for event in kernels)
    workers = {event["tid"] for event in kernels}
    assert workers <= set(range(_runtime.workers()))
    named = {event["tid"]: event["args"]["name"] for event in events if event["ph"] == "M"}
    assert all(named[worker] == f"worker {worker}" for worker in workers)


def test_trace_of_a_failing_block(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "trace.json"
    with pytest.raises(ZeroDivisionError), rt.trace(path):
        1 / 0  # noqa: B018
    json.loads(path.read_text(encoding="utf-8"))


def test_profile() -> None:
    text = io.StringIO()
    with myia.profile(text) as found:
        a = myia.asarray(np.ones(BIG))
        for _ in range(3):
            a = a * 2.0  # PROFILED
        a.wait()
    (measured,) = found
    rows = {row[0]: row for row in measured.rows()}
    assert rows["multiply"][2] == 3
    assert rows["multiply"][1].startswith("test_threads.py:")
    assert measured.submitted == 3
    assert measured.elapsed > 0
    table = text.getvalue()
    assert "multiply" in table
    assert "kernels in" in table
    with myia.profile(text) as found:
        pass
    assert str(found[0])


def test_profile_prints(capsys: pytest.CaptureFixture[str]) -> None:
    with myia.profile():
        (myia.asarray(np.ones(1000)) + 1.0).wait()
    assert "add" in capsys.readouterr().out
