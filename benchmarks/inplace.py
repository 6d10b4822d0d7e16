"""Programs that write in place: Myia against an adjoint by hand and JAX, in one run.

    python -m benchmarks.inplace [--save] [--rounds N]
    python -m benchmarks.inplace --peak TOOL PROGRAM SIZE

Three programs (`benchmarks/inplace_programs.py`), each at two sizes: a nonlinear heat equation in slices, a
Cholesky factorisation column by column, a tridiagonal system element by element. What counts is the time
of value and gradient over the time of the plain program, and the peak memory of the gradient. The
gradients are compared first, with each other and with central differences. The tools take turns, round by
round, so that a slow moment of the machine hits all of them; what counts is the least time of a call.

`--peak` measures the memory of one gradient in its own process, which the main run starts anew for each.
`--save` writes the tables to benchmarks/results/inplace.md. JAX is left out where it is not installed.
"""

from __future__ import annotations

import argparse
import ctypes
import datetime
import gc
import json
import math
import os
import platform
import resource
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import inplace_programs as programs
from benchmarks.runtime import Measurement, least, let_blas_sleep, ms, say, us
from benchmarks.small_ops import as_markdown

RESULTS = Path(__file__).with_name("results") / "inplace.md"
TITLES = {
    "heat": "heat, {0} x {0}, 100 steps",
    "cholesky": "Cholesky, {0} x {0}",
    "thomas": "Thomas, {0:,} unknowns",
}
SIZES = {"heat": (32, 256), "cholesky": (64, 256), "thomas": (100, 1000)}
TINY = 8
NAMES = {"plain": "plain", "myia": "Myia", "hand": "by hand", "jax": "JAX"}
TOOLS = ("myia", "hand", "jax") if find_spec("jax") else ("myia", "hand")

Gradient = Callable[[], tuple[Any, tuple[Any, ...]]]
"""Value and gradients at fixed arguments; gives them when they are there."""


@dataclass(frozen=True)
class Prepared:
    """A tool's value and gradient of one program at one size, compiled where the tool compiles."""

    call: Gradient
    compiling: float = math.nan
    """seconds"""
    account: int | None = None
    """bytes that the tool itself says the call will take, if it says so beforehand"""


def prepare(tool: str, program: str, size: int) -> Prepared:
    args = programs.arguments(program, size)
    if tool == "myia":
        gradient = _by_myia(program)
        start = time.perf_counter()
        gradient.source_for(*args)
        return Prepared(lambda: gradient(*args), time.perf_counter() - start)
    if tool == "jax":
        return _prepare_jax(program, args)
    function = getattr(programs, program if tool == "plain" else f"{program}_by_hand")
    return Prepared(lambda: function(*args))


@cache
def _by_myia(program: str) -> Any:
    """One for all sizes: it is specialised on types."""
    import myia

    myia.value_and_grad(_square)(1.0)  # its own modules are loaded
    return myia.value_and_grad(getattr(programs, program), wrt=programs.WRT[program])


def _prepare_jax(program: str, args: tuple[Any, ...]) -> Prepared:
    import jax

    jax.config.update("jax_enable_x64", True)
    jax.jit(jax.value_and_grad(_square))(1.0)
    static = programs.STATIC[program]
    function = jax.value_and_grad(getattr(programs, f"{program}_for_jax"), argnums=programs.WRT[program])
    start = time.perf_counter()
    compiled = jax.jit(function, static_argnums=static).lower(*args).compile()
    compiling = time.perf_counter() - start
    # The arguments are JAX's own arrays before the clock starts.
    given = [jax.device_put(x) for i, x in enumerate(args) if i not in static]
    memory: Any = compiled.memory_analysis()
    account = memory.temp_size_in_bytes + memory.output_size_in_bytes
    return Prepared(lambda: jax.block_until_ready(compiled(*given)), compiling, account)


def _square(x):
    return x * x


# -- are they right? ----------------------------------------------------------------------------------


def central_difference(program: str, size: int) -> tuple[float, list[Any]]:
    """The derivative of the plain program in a random direction, and that direction."""
    function, args = getattr(programs, program), programs.arguments(program, size)
    rng = np.random.default_rng(1)
    direction = [rng.normal(size=args[i].shape) for i in programs.WRT[program]]
    h = 1e-6

    def at(step: float) -> float:
        moved = list(args)
        for i, along in zip(programs.WRT[program], direction, strict=True):
            moved[i] = args[i] + step * along
        return function(*moved)

    return (at(h) - at(-h)) / (2.0 * h), direction


def check(found: tuple[Any, tuple[Any, ...]], program: str, size: int) -> None:
    """Raises ArithmeticError unless it is the gradient: by hand, and by differences."""
    value, gradients = found
    right_value, right = prepare("hand", program, size).call()
    _agree(value, getattr(programs, program)(*programs.arguments(program, size)), 1e-12)
    _agree(value, right_value, 1e-12)
    for ours, theirs in zip(gradients, right, strict=True):
        scale = np.max(np.abs(theirs))
        if not np.allclose(ours, theirs, rtol=1e-10, atol=1e-12 * scale):
            raise ArithmeticError(f"another gradient than by hand: {np.max(np.abs(ours - theirs))} apart")
    expected, direction = central_difference(program, size)
    slope = sum(np.sum(np.asarray(g) * d) for g, d in zip(gradients, direction, strict=True))
    _agree(slope, expected, 1e-6)


def _agree(ours: Any, theirs: Any, tolerance: float) -> None:
    if not np.isclose(ours, theirs, rtol=tolerance, atol=0.0):
        raise ArithmeticError(f"wrong result: {ours} instead of {theirs}")


# -- time ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Timing:
    """Seconds of a call and of what was compiled for it; `error` is the first line of what went wrong."""

    seconds: float = math.nan
    compiling: float = math.nan
    error: str = ""


def measure_times(program: str, size: int, rounds: int) -> dict[str, Timing]:
    """The plain program and every tool that can do it; a wrong gradient counts as not doing it."""
    prepared: dict[str, Prepared] = {"plain": prepare("plain", program, size)}
    errors: dict[str, str] = {}
    for tool in TOOLS:
        try:
            candidate = prepare(tool, program, size)
            check(candidate.call(), program, size)
        except Exception as error:  # noqa: BLE001 - whatever a tool raises goes into the table
            errors[tool] = next(iter(f"{type(error).__name__}: {error}".splitlines()))
        else:
            prepared[tool] = candidate
    seconds = least({tool: _calls(it.call) for tool, it in prepared.items()}, rounds)
    timings = {tool: Timing(seconds[tool], it.compiling) for tool, it in prepared.items()}
    timings |= {tool: Timing(error=error) for tool, error in errors.items()}
    return {tool: timings[tool] for tool in ("plain", *TOOLS)}


def _calls(call: Callable[[], Any]) -> Measurement:
    """As many calls as fit into 20 ms, at least one."""

    def per_call(repeats: int) -> float:
        start = time.perf_counter()
        for _ in range(repeats):
            call()
        return (time.perf_counter() - start) / repeats

    call()
    repeats = max(1, round(0.02 / per_call(3)))

    def measure() -> float:
        let_blas_sleep()
        return per_call(repeats)

    return measure


# -- memory -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Peak:
    """Bytes that one call takes at its worst, its result included and its arguments not."""

    process: int = 0
    """by which the resident memory of the process grew"""
    compiling: int = 0
    """the same for preparing the call at this size, before"""
    account: int | None = None
    """by the tool's own account"""
    saved: int | None = None
    """what `memory_report` says is kept for the reverse sweep"""
    error: str = ""


def measure_peak(tool: str, program: str, size: int) -> Peak:
    """In a fresh process."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.inplace", "--peak", tool, program, str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=RESULTS.parents[2])
    if done.returncode != 0:
        return Peak(error=(done.stderr.strip().splitlines() or ["no message"])[-1][:120])
    return Peak(**json.loads(done.stdout))


def peak_of_this_process(tool: str, program: str, size: int) -> Peak:
    prepare(tool, program, TINY).call()
    prepared: list[Prepared] = []
    compiling = growth(lambda: prepared.append(prepare(tool, program, size)))
    call, account = prepared[0].call, prepared[0].account
    saved = None
    if tool == "myia":
        from myia.runtime import memory_stats, reset_peak

        live = memory_stats()["live"]
        reset_peak()
        process = growth(call)
        account = memory_stats()["peak"] - live
        saved = _by_myia(program).memory_report(*programs.arguments(program, size)).bytes
    else:
        process = growth(call)
    if tool in ("plain", "hand"):
        tracemalloc.start()  # to which NumPy tells its arrays
        call()
        account = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return Peak(process, compiling, account, saved)


def growth(call: Callable[[], Any]) -> int:
    """By how much the resident memory of this process grows at the worst moment of a call (Linux only)."""
    gc.collect()
    # What is free already goes back to the system: a call that used it again would seem to take less.
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
    before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    call()
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")) - before


# -- the report ---------------------------------------------------------------------------------------

CASES = [(program, size) for program, sizes in SIZES.items() for size in sizes]


def title(program: str, size: int) -> str:
    return TITLES[program].format(size)


def time_table(results: dict[tuple[str, int], dict[str, Timing]]) -> str:
    rows = [["program", "", "time", "over plain", "over ours", "compiling"]]
    for case, timings in results.items():
        plain, ours = timings["plain"].seconds, timings["myia"].seconds
        for tool, timing in timings.items():
            row = [title(*case) if tool == "plain" else "", NAMES[tool]]
            if timing.error:
                rows.append([*row, f"cannot: {timing.error}", "", "", ""])
                continue
            compiling = "" if math.isnan(timing.compiling) else ms(timing.compiling)
            over_plain = "" if tool == "plain" else f"{timing.seconds / plain:.2f}"
            over_ours = "" if tool in ("plain", "myia") else f"{timing.seconds / ours:.2f}"
            rows.append([*row, us(timing.seconds), over_plain, over_ours, compiling])
    return as_markdown(rows)


def memory_table(results: dict[tuple[str, int], dict[str, Peak]]) -> str:
    rows = [["program", "", "the process grows", "own account", "over ours", "saved", "an iteration"]]
    for case, peaks in results.items():
        ours = peaks["myia"].account
        for tool, peak in peaks.items():
            row = [title(*case) if tool == "plain" else "", NAMES[tool]]
            if peak.error or peak.account is None:
                rows.append([*row, f"cannot: {peak.error}", "", "", "", ""])
                continue
            over_ours = "" if tool in ("plain", "myia") or not ours else f"{peak.account / ours:.2f}"
            saved = ["", ""]
            if peak.saved is not None:
                saved = [_bytes(peak.saved), f"{peak.saved / programs.iterations(*case):,.0f} B"]
            rows.append([*row, f"{peak.process / 1e6:.1f} MB", _bytes(peak.account), over_ours, *saved])
    return as_markdown(rows)


def _bytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 1e6 else f"{count / 1e3:,.1f} kB"


def compiler_note(results: dict[tuple[str, int], dict[str, Peak]]) -> str:
    """What the compilers take: Myia's has run for the tiny call, JAX's runs for each size."""
    by_jax = [peaks["jax"] for peaks in results.values() if "jax" in peaks]
    grown = [peak.compiling / 1e6 for peak in by_jax if not peak.error]
    if not grown:
        return "JAX is not here, and left out."
    return (
        f"Not counted is JAX's compiler, which took {min(grown):.0f} to {max(grown):.0f} MB before the call."
    )


def machine() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    peers = "".join(f", {name} {version(name)}" for name in ("myia", "jax") if find_spec(name))
    return (
        f"{names[0] if names else platform.machine()}, {os.cpu_count()} processors, {platform.system()}; "
        f"Python {platform.python_version()}, NumPy {np.__version__}{peers}; "
        f"{datetime.date.today().isoformat()}, load average {os.getloadavg()[0]:.1f}."
    )


ABOUT_TIME = """
    The least time of a call over interleaved rounds. "Over plain" is the time over that of the plain
    program, "over ours" over Myia's. Every gradient was first checked against the one by hand and against
    central differences of the plain program. JAX compiles for each size, Myia for all, and finds it done at
    the second; both had compiled a one-line function before. JAX gets arrays of its own, and has float64
    switched on. All use as many threads as they choose.
"""

ABOUT_MEMORY = """
    Of one call, the result included and the arguments not, each in a fresh process after a call at a tiny
    size. "The process grows" is its peak of resident memory during the call over that before; a few tenths
    of a MB are noise. "Own account" is `memory_stats()["peak"]` for Myia (arrays of the runtime, not the
    floats and list entries that Python keeps), temporaries and results by XLA's plan for JAX, and NumPy's
    allocations by tracemalloc for the rest; "over ours" compares those. "Saved" is
    `memory_report(...).bytes`, floats included; and what that is for an iteration of the program's loops.
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inplace")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/inplace.md")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--peak", nargs=3, metavar=("TOOL", "PROGRAM", "SIZE"), help="one peak, as JSON")
    options = parser.parse_args()
    if options.peak:
        tool, program, size = options.peak
        print(json.dumps(asdict(peak_of_this_process(tool, program, int(size)))))
        return

    about = machine()
    print(about, "\n", flush=True)
    times = time_table({case: measure_times(*case, options.rounds) for case in CASES})
    print(f"Value and gradient\n\n{times}", flush=True)
    peaks = {case: {tool: measure_peak(tool, *case) for tool in ("plain", *TOOLS)} for case in CASES}
    memory = f"{say(ABOUT_MEMORY + compiler_note(peaks))}\n\n{memory_table(peaks)}"
    print(f"\nPeak memory\n\n{memory}")
    if options.save:
        head = say(f"Written by `python -m benchmarks.inplace --save`; do not edit. {about}")
        parts = [
            f"# Programs that write in place\n\n{head}",
            f"## Value and gradient\n\n{say(ABOUT_TIME)}\n\n{times}",
            f"## Peak memory\n\n{memory}",
        ]
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
        print(f"\nwritten to {RESULTS}")


if __name__ == "__main__":
    main()
