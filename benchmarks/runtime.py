"""The native runtime beside NumPy and torch, in one run.

    python -m benchmarks.runtime [--save] [--quick] [--only NAME]

Every comparison takes turns, round by round, so that a slow moment of the machine hits all sides; what
counts is the least time of each, and of two times their ratio. A peer that is not installed is left out.
`--only` runs one section, of those that `--help` lists. `--save` writes benchmarks/results/runtime.md; with
`--only` it replaces that section of it. Each section tells how busy the machine was with other work.
"""

from __future__ import annotations

import argparse
import datetime
import io
import math
import os
import platform
import resource
import subprocess
import sys
import tarfile
import tempfile
import textwrap
import threading
import time
import timeit
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from myia import _runtime as rt

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).with_name("results") / "runtime.md"
TORCH = find_spec("torch") is not None
THREADPOOLCTL = find_spec("threadpoolctl") is not None
# The last commit of which the facade ran on NumPy alone.
BEFORE = "eacb2c7"

# -- measuring -------------------------------------------------------------------------------------

Measurement = Callable[[], float]
"""Measures once, and gives the seconds of one operation."""

Key = TypeVar("Key")


def least(cases: dict[Key, Measurement], rounds: int) -> dict[Key, float]:
    """The least of each, measured in turns."""
    seconds = dict.fromkeys(cases, math.inf)
    for _ in range(rounds):
        for name, measure in cases.items():
            seconds[name] = min(seconds[name], measure())
    return seconds


def statement(text: str, number: int = 2000, **names: Any) -> Measurement:
    """A statement many times over, without the cost of a call."""
    timer = timeit.Timer(text, globals=names)
    return lambda: timer.timeit(number) / number


def once(call: Callable[[], Any], before: Callable[[], Any] | None = None) -> Measurement:
    """One call; `before` is not timed."""

    def measure() -> float:
        if before:
            before()
        start = time.perf_counter()
        call()
        return time.perf_counter() - start

    return measure


# What module.cpp sets split_size to; the module does not tell.
SPLIT_SIZE = 1 << 15
NEVER = 1 << 60


@contextmanager
def settings(workers: int = 2, inline: int | None = None) -> Iterator[None]:
    """The runtime with these settings; afterwards the usual ones."""
    usual = rt.workers(), rt.inline_limit()
    rt.set_workers(workers)
    if inline is not None:
        rt.set_inline_limit(inline)
    try:
        yield
    finally:
        rt.wait_all()
        rt.set_workers(usual[0])
        rt.set_inline_limit(usual[1])
        rt.set_split_size(SPLIT_SIZE)


def own(x: Any) -> Any:
    """An Array in memory of the runtime's own."""
    return rt.asarray(x) + 0.0


@contextmanager
def numpy_threads(count: int) -> Iterator[None]:
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(limits=count, user_api="blas"):
        yield


def let_blas_sleep() -> None:
    """NumPy's BLAS threads spin for a while after a product, and would take a core from who comes next."""
    time.sleep(0.1)


# -- text --------------------------------------------------------------------------------------------


def table(rows: list[list[str]]) -> str:
    """A table whose columns also line up on a terminal; all but the first stand to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [c.rjust(w) if i else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        lines.append("| " + " | ".join(cells) + " |")
    lines.insert(
        1, "|" + "|".join("-" * (w + 1) + ":" if i else "-" * (w + 2) for i, w in enumerate(widths)) + "|"
    )
    return "\n".join(lines)


def say(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), 105)


def ns(seconds: float) -> str:
    return f"{seconds * 1e9:,.0f} ns"


def us(seconds: float) -> str:
    return f"{seconds * 1e6:,.2f} us" if seconds < 1e-5 else f"{seconds * 1e6:,.0f} us"


def ms(seconds: float) -> str:
    return f"{seconds * 1e3:,.1f} ms"


def aim(value: float, bound: float, most: bool = False) -> str:
    """A figure beside what it should be at least, or at most."""
    met = value <= bound if most else value >= bound
    return f"{value:.2f} (aim {'at most' if most else 'at least'} {bound}: {'met' if met else 'missed'})"


# -- the sections -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Effort:
    """How long to measure."""

    rounds: int
    small: int
    """elements of what is large, as a power of two less than usual"""


def small(effort: Effort) -> str:
    """Small operations: 8 float64 elements, everything ready."""
    rng = np.random.default_rng(0)
    a, b, m = rng.normal(size=8), rng.normal(size=8), rng.normal(size=(8, 8))
    names: dict[str, Any] = {
        "np": np, "a": a, "b": b, "m": m, "A": own(a), "B": own(b), "M": own(m), "tanh": rt.operators["tanh"],
    }  # fmt: skip
    operations = {
        "`a + b`": ("A + B", "a + b", "x + y"),
        "`m @ a`, 8 x 8": ("M @ A", "m @ a", "n @ x"),
        "`tanh(a)`, from compiled code": ("tanh(A)", "np.tanh(a)", "torch.tanh(x)"),
        "`np.tanh(a)`": ("np.tanh(A)", "np.tanh(a)", "torch.tanh(x)"),
        "`a[3]`, an element": ("A[3]", "a[3]", "x[3]"),
        "`m[3]`, a row": ("M[3]", "m[3]", "n[3]"),
    }
    if TORCH:
        import torch

        names |= {"torch": torch, "x": torch.tensor(a), "y": torch.tensor(b), "n": torch.tensor(m)}
    tools = ("myia", "numpy", "torch") if TORCH else ("myia", "numpy")
    cases = {
        (operation, tool): statement(text, **names)
        for operation, texts in operations.items()
        for tool, text in zip(tools, texts, strict=False)
    }
    found = least(cases, 20 * effort.rounds)
    rows = [["", *tools, "myia over numpy", *(("myia over torch",) if TORCH else ())]]
    for operation in operations:
        times = [found[operation, tool] for tool in tools]
        rows.append([operation, *map(ns, times), *(f"{times[0] / other:.2f}" for other in times[1:])])
    text = """
        A statement as Python runs it, its loop and names included. The aim is at most 0.40 of NumPy's time.
        Compiled code calls `tanh` of the runtime; `np.tanh` finds it through NumPy's protocol.
    """
    return f"{say(text)}\n\n{table(rows)}"


def submit(effort: Effort) -> str:
    """What it costs to queue an operation."""
    count = 1000
    side = 2048 >> effort.small // 3
    big = own(np.random.default_rng(0).normal(size=(side, side)))
    A, B = own(np.ones(8)), own(np.ones(8))

    def pending() -> float:
        row = (big @ big)[0, :8]
        start = time.perf_counter()
        for _ in range(count):
            row + B
        seconds = (time.perf_counter() - start) / count
        assert not row.ready(), "the product was over before all had been queued"
        rt.wait_all()
        return seconds

    def independent() -> None:
        for _ in range(count):
            A + B

    def chain() -> None:
        x = A
        for _ in range(count):
            x = x + B

    def nothing() -> None:
        for _ in range(count):
            pass

    def per_operation(call: Callable[[], None]) -> Measurement:
        measure = once(call, rt.wait_all)
        return lambda: measure() / count

    empty = least({"": per_operation(nothing)}, 5)[""]
    rows = [["", "1 worker", "2 workers"]]
    cases: dict[str, Measurement] = {
        "its operand is pending": pending,
        "all is ready, the workers run it meanwhile": per_operation(independent),
        "each needs the one before": per_operation(chain),
    }
    found = {}
    for workers in (1, 2):
        with settings(workers, inline=0):
            found[workers] = {name: s - empty for name, s in least(cases, 10 * effort.rounds).items()}
    for name in cases:
        rows.append([name, *(ns(found[workers][name]) for workers in (1, 2))])
    inline = least({"": per_operation(independent)}, 10 * effort.rounds)[""] - empty
    share = _share_of_other_thread(big)
    worst = aim(max(found[1].values()) * 1e6, 1.0, most=True)
    text = f"""
        `a + b` on 8 elements that is queued and not run at once: the time until the call returns, over
        batches of {count:,}; waiting for the results is not counted. The most with one worker is {worst}
        us. The same operation run at once takes {ns(inline)}.
    """
    gil = f"""
        The GIL is held all that time, so for as long as a call takes: submitting gives it up only where it
        has to wait because too much is in flight, or where there are no workers
        (runtime/array/waiting.cpp). Waiting for a result gives it up: another Python thread that counts got
        {share:.0%} of its lone speed while this one waited for a product on one worker.
    """
    return f"{say(text)}\n\n{table(rows)}\n\n{say(gil)}"


def _share_of_other_thread(big: Any) -> float:
    """How fast another thread counts while this one waits, of its speed while this one sleeps."""
    counted = [0]
    stop = threading.Event()

    def count() -> None:
        while not stop.is_set():
            counted[0] += 1

    def speed(call: Callable[[], Any]) -> float:
        before, start = counted[0], time.perf_counter()
        call()
        return (counted[0] - before) / (time.perf_counter() - start)

    thread = threading.Thread(target=count)
    thread.start()
    with settings(1):
        alone, waiting = [], []
        for _ in range(5):
            alone.append(speed(lambda: time.sleep(0.2)))
            product = big @ big
            waiting.append(speed(product.wait))
    stop.set()
    thread.join()
    return max(waiting) / max(alone)


def products(effort: Effort) -> str:
    """Two independent chains of 512 x 512 products, float64."""
    length, side = 8, 512
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(side, side)) / np.sqrt(side)
    start = rng.normal(size=(2, side, side))
    M, X, Y = own(matrix), own(start[0]), own(start[1])

    def chains(x: Any, y: Any, m: Any) -> tuple[Any, Any]:
        for _ in range(length):
            x, y = x @ m, y @ m
        return x, y

    def native() -> None:
        for result in chains(X, Y, M):
            result.wait()

    def with_workers(count: int) -> Callable[[], None]:
        def before() -> None:
            rt.set_workers(count)
            native()

        return before

    cases = {
        "myia, 1 worker": once(native, with_workers(1)),
        "myia, 2 workers": once(native, with_workers(2)),
    }
    if THREADPOOLCTL:
        for threads in (1, 2):

            def timed(threads: int = threads) -> float:
                with numpy_threads(threads):
                    chains(start[0], start[1], matrix)
                    seconds = once(lambda: chains(start[0], start[1], matrix))()
                let_blas_sleep()
                return seconds

            cases[f"numpy, {threads} BLAS thread{'s' * (threads > 1)}"] = timed
    with settings():
        found = least(cases, 6 * effort.rounds)
    one = found["myia, 1 worker"]
    flops = 2 * length * 2 * side**3
    rows = [["", "time", "GFLOP/s", "myia, 1 worker, over it"]]
    for name, seconds in found.items():
        rows.append([name, ms(seconds), f"{flops / seconds * 1e-9:.0f}", f"{one / seconds:.2f}"])
    text = f"""
        Each chain is {length} products long. 2 workers over 1: {aim(one / found["myia, 2 workers"], 1.8)}.
    """
    return f"{say(text)}\n\n{table(rows)}"


def elementwise(effort: Effort) -> str:
    """Chains of six elementwise operations on 10 million float64 elements."""
    size = 10_000_000 >> effort.small
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=size), rng.normal(size=size)
    X, Y = own(x), own(y)
    operators = rt.operators

    def costly(x: Any, y: Any, tanh: Any, exp: Any) -> Any:
        return tanh(exp(tanh(x) * y) + x) * y

    def cheap(x: Any, y: Any, *_: Any) -> Any:
        return ((x + y) * x + y) * x + y * x

    def with_out(f: Callable[..., Any]) -> Callable[[], Any]:
        t, u = np.empty(size), np.empty(size)
        if f is costly:

            def run() -> None:
                np.tanh(x, out=t)
                np.multiply(t, y, out=t)
                np.exp(t, out=t)
                np.add(t, x, out=t)
                np.tanh(t, out=t)
                np.multiply(t, y, out=t)
        else:

            def run() -> None:
                np.add(x, y, out=t)
                np.multiply(t, x, out=t)
                np.add(t, y, out=t)
                np.multiply(t, x, out=t)
                np.multiply(y, x, out=u)
                np.add(t, u, out=t)

        return run

    text = []
    for title, f in (
        ("`tanh(exp(tanh(x) * y) + x) * y`", costly),
        ("`((x + y) * x + y) * x + y * x`", cheap),
    ):

        def native(f: Callable[..., Any] = f) -> None:
            f(X, Y, operators["tanh"], operators["exp"]).wait()

        cases = {
            "myia, 2 workers": once(native, partial(rt.set_workers, 2)),
            "numpy": once(partial(f, x, y, np.tanh, np.exp)),
            "myia, 1 worker": once(native, partial(rt.set_workers, 1)),
            "numpy, `out=` in two arrays": once(with_out(f)),
        }
        if TORCH:
            import torch

            tensors = torch.from_numpy(x), torch.from_numpy(y), torch.tanh, torch.exp
            for threads in (1, 2):
                cases[f"torch, {threads} thread{'s' * (threads > 1)}"] = once(
                    partial(f, *tensors), partial(torch.set_num_threads, threads)
                )
        with settings():
            native()
            found = least(cases, 5 * effort.rounds)
        rows = [[title, "time", "numpy over it"]]
        rows += [[name, ms(s), f"{found['numpy'] / s:.2f}"] for name, s in found.items()]
        ratio = aim(found["numpy"] / found["myia, 2 workers"], 1.7)
        text.append(f"NumPy over Myia on 2 workers: {ratio}.\n\n{table(rows)}")
    rt.trim()
    return "\n\n".join(text)


# The demo's network in a process of its own, in the tree of this commit or of an older one. Each line of
# input names a way to run it, and is answered with the seconds of a step.
_CHILD = """
import sys, time
sys.meta_path[:] = [f for f in sys.meta_path if not type(f).__module__.startswith("_editable_skbc")] \
    if sys.argv[2] == "before" else sys.meta_path
sys.path.insert(0, sys.argv[1])
import numpy as np
from threadpoolctl import threadpool_limits
from examples.demo import digits
import myia
assert sys.argv[2] != "before" or myia.__file__.startswith(sys.argv[1]), myia.__file__
data = digits.load()

def case(units, batch):
    layers = digits.new_layers(np.random.default_rng(0), (64, units, 10))
    return layers, data.train_images[:batch].copy(), data.train_labels[:batch].copy()

def to_arrays(layers, images, labels):
    own = lambda x: myia.asarray(x.copy())
    return [(own(w), own(b)) for w, b in layers], own(images), own(labels)

cases = {}
for line in sys.stdin:
    how, units, batch, threads = line.split()
    key = how, units, batch
    if key not in cases:
        args = case(int(units), int(batch))
        cases[key] = to_arrays(*args) if how == "arrays" else args
    args = cases[key]
    finish = lambda: None
    if sys.argv[2] != "before":
        from myia.runtime import set_workers, wait_all
        set_workers(int(threads))
        finish = wait_all
    def run():
        value, gradient = digits.step(*args)
        finish()
    with threadpool_limits(limits=int(threads), user_api="blas"):
        run()
        start = time.perf_counter()
        run()
        repeats = max(1, min(200, int(0.02 / (time.perf_counter() - start))))
        start = time.perf_counter()
        for _ in range(repeats):
            run()
        print((time.perf_counter() - start) / repeats, flush=True)
"""


def training(effort: Effort) -> str:
    """A step of the demo's digits network: the value and the gradient of its loss."""
    missing = [name for name in ("sklearn", "threadpoolctl") if find_spec(name) is None]
    if missing:
        return f"Left out: {' and '.join(missing)} not installed."
    shapes = {
        "64-64-10, 32 images (the demo's)": (64, 32),
        "64-64-10, 1,347 images": (64, 1347),
        "64-1024-10, 1,347 images": (1024, 1347),
    }
    with tempfile.TemporaryDirectory() as folder:
        trees = {"now": ROOT}
        if _unpack(BEFORE, Path(folder)):
            trees["before"] = Path(folder)
        children = {name: _Child(path, name) for name, path in trees.items()}
        ways = {
            "before, 1 BLAS thread": ("before", "numpy", 1),
            "before, 2 BLAS threads": ("before", "numpy", 2),
            "now, NumPy arrays, 1 worker": ("now", "numpy", 1),
            "now, NumPy arrays, 2 workers": ("now", "numpy", 2),
            "now, Arrays, 1 worker": ("now", "arrays", 1),
            "now, Arrays, 2 workers": ("now", "arrays", 2),
        }
        ways = {title: way for title, way in ways.items() if way[0] in children}
        cases = {
            (title, shape): children[tree].measurement(how, *shapes[shape], threads)
            for title, (tree, how, threads) in ways.items()
            for shape in shapes
        }
        found = least(cases, 4 * effort.rounds)
        for child in children.values():
            child.close()
    rows = [["", *shapes]]
    for title in ways:
        cells = []
        for shape in shapes:
            one = found.get(("before, 1 BLAS thread", shape), math.nan)
            cells.append(f"{us(found[title, shape])} {one / found[title, shape]:5.2f}")
        rows.append([title, *cells])
    text = f"""
        {"" if "before" in children else f"The tree of {BEFORE} is not here: nothing to compare with."}
        The time of a step, waited for, and how many times faster that is than the facade on NumPy alone
        (commit {BEFORE}, before the native runtime) with one thread of NumPy's BLAS.
    """
    return f"{say(text)}\n\n{table(rows)}"


class _Child:
    def __init__(self, path: Path, name: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CHILD, str(path), name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=path,
        )  # fmt: skip

    def measurement(self, how: str, units: int, batch: int, threads: int) -> Measurement:
        def measure() -> float:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            print(how, units, batch, threads, file=self._process.stdin, flush=True)
            seconds = float(self._process.stdout.readline())
            if threads > 1:
                let_blas_sleep()
            return seconds

        return measure

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def _unpack(commit: str, folder: Path) -> bool:
    """The package and the examples of a commit; False if there is no such thing here."""
    command = ["git", "-C", str(ROOT), "archive", commit, "myia", "examples"]
    try:
        archive = subprocess.run(command, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return False
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    return True


def memory(effort: Effort) -> str:
    """Peak memory of a loop over arrays of a million elements."""
    size = 1_000_000 >> effort.small
    one = size * 8
    rows = [["steps", "peak of the runtime", "growth of the process", "time of a step"]]
    tanh = rt.operators["tanh"]

    def loop(steps: int) -> Any:
        x = own(np.linspace(-1.0, 1.0, size))
        for _ in range(steps):
            x = tanh(x * 1.5 + 0.1)
        return x.wait()

    with settings():
        for steps in (10, 100, 1000):
            rt.wait_all()
            rt.trim()
            rt.reset_peak()
            before = _resident()
            _reset_peak_of_process()
            start = time.perf_counter()
            loop(steps)
            seconds = time.perf_counter() - start
            peak = rt.memory_stats()["peak"] / one
            grown = (_peak_of_process() - before) / one
            rows.append([f"{steps:,}", f"{peak:.1f}", f"{grown:.1f}", us(seconds / steps)])
    text = """
        `x = tanh(x * 1.5 + 0.1)`, in units of one array; nothing waits before the end, so up to 3,000
        operations are queued. 2 workers.
    """
    return f"{say(text)}\n\n{table(rows)}"


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _reset_peak_of_process() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _peak_of_process() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def order(effort: Effort) -> str:
    """Which ready operation goes first: fifo, the oldest, or lifo, the latest to become ready."""
    side = 1024 >> effort.small // 2
    X = own(np.random.default_rng(0).normal(size=(side, side)))
    tanh = rt.operators["tanh"]

    def wide() -> None:
        level = [X * (1.0 + k) for k in range(64)]
        for _ in range(4):
            level = [tanh(x) for x in level]
        totals = [x.sum(axis=0) for x in level]
        del level
        for total in totals:
            total.wait()

    def branches() -> None:
        x, totals = X, []
        for _ in range(64):
            x = x * 0.99
            totals.append(tanh(tanh(x)).sum(axis=0))
        for total in totals:
            total.wait()

    def tree() -> None:
        level = [X * (1.0 + k) for k in range(64)]
        while len(level) > 1:
            level = [a + b for a, b in zip(level[::2], level[1::2], strict=True)]
        level[0].wait()

    shapes = {
        "64 chains of 5, submitted level by level": wide,
        "a chain of 64 with costly branches": branches,
        "64 products, added up pair by pair": tree,
    }
    rows = [["", "fifo", "lifo", "peak, fifo", "peak, lifo"]]
    with settings():
        for title, call in shapes.items():
            peaks = {}
            for kind in ("fifo", "lifo"):
                rt.wait_all()
                rt.set_order(kind)
                worst = 0
                for _ in range(3):
                    rt.reset_peak()
                    call()
                    rt.wait_all()
                    worst = max(worst, rt.memory_stats()["peak"])
                peaks[kind] = worst / X.nbytes
            cases = {kind: once(call, partial(rt.set_order, kind)) for kind in ("fifo", "lifo")}
            found = least(cases, 4 * effort.rounds)
            rows.append([title, *map(ms, found.values()), *(f"{p:.0f}" for p in peaks.values())])
        rt.wait_all()
        rt.set_order("fifo")
    return f"Arrays of {side} x {side}, 2 workers; peaks in units of one array.\n\n{table(rows)}"


def thresholds(effort: Effort) -> str:
    """From which size on it pays to queue an operation, and to split it."""
    tables = []
    for name in ("add", "exp", "tanh"):
        operator: Any = rt.operators[name]
        rows = [["elements", "at once", "queued", "in 2 parts", "in 4", "8 at once", "8 queued", "gain of 8"]]
        for power in range(8, 21, 2 if effort.small else 1):
            x = own(np.random.default_rng(0).normal(size=1 << power))
            call = partial(operator, *(x, x)[: operator.ufunc.nin])
            work = operator.cost << power
            cases = {
                "at once": _repeated(call, 1, power, NEVER, NEVER),
                "queued": _repeated(call, 1, power, 0, NEVER),
                "2 parts": _repeated(call, 1, power, 0, max(work // 2, 1)),
                "4 parts": _repeated(call, 1, power, 0, max(work // 4, 1)),
                "8 at once": _repeated(call, 8, power, NEVER, NEVER),
                "8 queued": _repeated(call, 8, power, 0, NEVER),
            }
            with settings():
                found = least(cases, 6 * effort.rounds)
            gain = f"{found['8 at once'] / found['8 queued']:.2f}"
            rows.append([f"2^{power}", *map(us, found.values()), gain])
        tables.append(f"`{name}`, cost {operator.cost}:\n\n{table(rows)}")
    text = f"""
        One operation on float64 elements and the wait for it: run at once in the caller, queued in one
        part, and queued in two and four parts for two workers. Then eight independent ones, at once and
        queued, one part each, and what the latter gains. An operation is queued from {rt.inline_limit():,}
        elements times cost on; a part is {SPLIT_SIZE:,} at least.
    """
    return "\n\n".join([say(text), *tables])


def _repeated(call: Callable[[], Any], count: int, power: int, inline: int, split: int) -> Measurement:
    """The time until `count` results are there."""
    repeats = max(2, min(200, 1 << 16 >> power))

    def measure() -> float:
        rt.set_inline_limit(inline)
        rt.set_split_size(split)
        start = time.perf_counter()
        for _ in range(repeats):
            for result in [call() for _ in range(count)]:
                result.wait()
        return (time.perf_counter() - start) / repeats

    return measure


def costs(effort: Effort) -> str:
    """The work on an element, relative to an addition, and what the dispatcher takes it to be."""
    x = own(np.random.default_rng(0).uniform(0.1, 0.9, size=4096))
    cases: dict[str, Measurement] = {}
    operators: dict[str, Any] = {
        operator.ufunc.__name__: operator for operator in map(_any, rt.operators.values())
    }
    with settings(inline=NEVER), np.errstate(all="ignore"):
        for name, operator in operators.items():
            args = (x, x)[: operator.ufunc.nin]
            try:
                operator(*args)
            except TypeError:
                continue  # not of floats
            cases[name] = statement("f(*args)", number=20, f=operator, args=args)
        found = least(cases, 10 * effort.rounds)
    unit = found["add"]
    rows = [["operator", "measured", "assumed"]]
    for name, seconds in sorted(found.items(), key=lambda item: -item[1]):
        measured, assumed = seconds / unit, operators[name].cost
        if not 1 / 1.5 < measured / assumed < 1.5:
            rows.append([name, f"{measured:.1f}", f"{assumed}"])
    text = f"""
        4,096 doubles between 0.1 and 0.9; an addition takes {us(unit)}. Shown are those of {len(found)}
        operators whose cost is off by more than a half.
    """
    return f"{say(text)}\n\n{table(rows)}"


def _any(x: Any) -> Any:
    """For the type checker, to which an operator is no more than a function."""
    return x


SECTIONS: dict[str, Callable[[Effort], str]] = {
    section.__name__: section
    for section in (small, submit, products, elementwise, training, memory, order, thresholds, costs)
}


def title_of(section: Callable[[Effort], str]) -> str:
    assert section.__doc__ is not None
    return section.__doc__.rstrip(".")


# -- the report -------------------------------------------------------------------------------------


def machine() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    peers = f"torch {_torch_version()}" if TORCH else "torch is not installed, and left out"
    return (
        f"{names[0] if names else platform.machine()}, {os.cpu_count()} processors, {platform.system()}; "
        f"Python {platform.python_version()}, NumPy {np.__version__}, {peers}."
    )


def _circumstances() -> str:
    ahead = os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR)
    when = f"{datetime.date.today().isoformat()}, load average {os.getloadavg()[0]:.1f}"
    return f"{when}, run ahead of other work (`chrt -r 1`)." if ahead else f"{when}."


def _torch_version() -> str:
    from importlib.metadata import version

    return version("torch")


def saved_sections() -> dict[str, str]:
    """The sections of the results so far, by title."""
    if not RESULTS.exists():
        return {}
    _, *parts = RESULTS.read_text(encoding="utf-8").split("\n## ")
    return {title: body.strip() for title, _, body in (part.partition("\n") for part in parts)}


def save(sections: dict[str, str]) -> None:
    about = """
        Least times of interleaved rounds; what counts are the ratios. How busy the machine was is told with
        each section: with more load than processors, figures of two workers are too low.
    """
    head = f"Written by `python -m benchmarks.runtime --save`; do not edit. {machine()}"
    text = [f"# The native runtime\n\n{say(head)}\n\n{say(about)}"]
    text += [f"## {title}\n\n{body}" for title, body in sections.items()]
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text("\n\n".join(text) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.runtime")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/runtime.md")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and smaller arrays")
    parser.add_argument("--only", choices=SECTIONS, help="one section")
    options = parser.parse_args()

    print(machine(), flush=True)
    known = saved_sections()
    sections = {}
    effort = Effort(1, 3) if options.quick else Effort(3, 0)
    for name, section in SECTIONS.items():
        title = title_of(section)
        if options.only in (None, name):
            body = section(effort)
            sections[title] = f"{body}\n\n{_circumstances()}"
            print(f"\n## {title}\n\n{sections[title]}", flush=True)
        elif title in known:
            sections[title] = known[title]
    if options.save:
        save(sections)
        print(f"\nwritten to {RESULTS}")


if __name__ == "__main__":
    main()
