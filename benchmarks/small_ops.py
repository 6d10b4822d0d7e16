"""Small operations in Python control flow: Myia against autograd and tangent-ad, in one run.

    python -m benchmarks.small_ops [--save] [--rounds N]

Three programs (`benchmarks/programs.py`): a scalar loop with a branch, a `while` with `break`, a tanh
RNN with 16 units over 50 steps. What counts is the time of value and gradient over the time of the
plain program. The gradients are compared first. A round times every tool for about 20 ms each, one
after the other, so that a slow moment of the machine hits all of them; what counts is the least time
of a call over the rounds, the one the machine disturbed least. The garbage collector runs as usual.

`--save` writes the tables to benchmarks/results/small_ops.md.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import first_call
from benchmarks.tools import DISTRIBUTIONS, load_programs, program_for, value_and_gradient, versions

TITLES = {
    "scalar_loop": "scalar loop with a branch, 100 rounds",
    "newton": "`while` with `break`, Newton's iteration",
    "rnn": "tanh RNN, 16 units, 50 steps",
    "thirty_lines": "a function of 30 lines",
}
TIMED = ("scalar_loop", "newton", "rnn")
TOOLS = tuple(DISTRIBUTIONS)


@dataclass(frozen=True)
class Timing:
    """Seconds of one call, and that over the plain program's and over Myia's."""

    seconds: float = float("nan")
    over_plain: float = float("nan")
    over_myia: float = float("nan")
    error: str = ""


def measure(program: str, rounds: int) -> dict[str, Timing]:
    """The plain program and every tool that can do it; a wrong gradient counts as not doing it."""
    plain = load_programs("plain")
    args = plain.arguments(program)
    calls: dict[str, Callable[[], Any]] = {"plain": lambda: getattr(plain, program)(*args)}
    expected = _central_difference(getattr(plain, program), args)
    errors: dict[str, str] = {}
    for tool in TOOLS:
        try:
            function = value_and_gradient(tool, program_for(tool, program))
            value, gradient = function(*args)
            _agree(value, calls["plain"]())
            _agree(np.sum(gradient * _direction(args[0])), expected, tolerance=1e-6)
        except Exception as error:  # noqa: BLE001 - whatever a tool raises goes into the table
            errors[tool] = next(iter(f"{type(error).__name__}: {error}".splitlines()))
        else:
            calls[tool] = lambda function=function: function(*args)

    repeats = {name: _repeats_for(call, seconds=0.02) for name, call in calls.items()}
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            seconds[name].append(_per_call(call, repeats[name]))

    least = {name: min(times) for name, times in seconds.items()}
    timings = {
        name: Timing(time, time / least["plain"], time / least.get("myia", float("nan")))
        for name, time in least.items()
    }
    timings |= {tool: Timing(error=error) for tool, error in errors.items()}
    return {name: timings[name] for name in ("plain", *TOOLS)}


def _direction(x: Any) -> Any:
    return np.random.default_rng(1).normal(size=np.shape(x)) if np.ndim(x) else 1.0


def _central_difference(function: Callable[..., Any], args: tuple) -> float:
    h = 1e-6 * max(1.0, float(np.max(np.abs(args[0]))))
    direction = _direction(args[0])
    ahead, behind = (function(args[0] + s * h * direction, *args[1:]) for s in (1, -1))
    return (ahead - behind) / (2 * h)


def _agree(ours: float, theirs: float, tolerance: float = 1e-12) -> None:
    if not np.isclose(ours, theirs, rtol=tolerance, atol=0.0):
        raise ArithmeticError(f"wrong result: {ours} instead of {theirs}")


def _per_call(call: Callable[[], Any], repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def _repeats_for(call: Callable[[], Any], seconds: float) -> int:
    call()
    return max(1, round(seconds / max(_per_call(call, 3), 1e-9)))


def speed_table(results: dict[str, dict[str, Timing]]) -> list[list[str]]:
    rows = [["program", "", "time", "over plain", "over ours"]]
    for program, timings in results.items():
        for name, timing in timings.items():
            title = TITLES[program] if name == "plain" else ""
            if timing.error:
                rows.append([title, DISTRIBUTIONS[name], f"cannot: {timing.error}", "", ""])
                continue
            rows.append([title, DISTRIBUTIONS.get(name, "plain"), _microseconds(timing.seconds), "", ""])
            if name != "plain":
                rows[-1][3] = f"{timing.over_plain:.1f}"
            if name not in ("plain", "myia"):
                rows[-1][4] = f"{timing.over_myia:.1f}"
    return rows


def first_call_table(results: dict[str, dict[str, first_call.FirstCall]]) -> list[list[str]]:
    rows = [["program", "", "fresh process", "fresh function"]]
    for program, tools in results.items():
        for place, (tool, call) in enumerate(tools.items()):
            title = "" if place else TITLES[program]
            if call.error:
                rows.append([title, DISTRIBUTIONS[tool], f"cannot: {call.error}", ""])
            else:
                times = (f"{seconds * 1e3:.1f} ms" for seconds in (call.fresh_process, call.fresh_function))
                rows.append([title, DISTRIBUTIONS[tool], *times])
    return rows


def _microseconds(seconds: float) -> str:
    return f"{seconds * 1e6:,.1f} us"


def as_markdown(rows: list[list[str]]) -> str:
    """A table whose columns also line up on a terminal; numbers stand to the right."""
    widths = [max(len(row[i]) for row in rows if "cannot" not in row[2]) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(w) if i < 2 else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("| " + " | ".join(cells) + " |")
    rule = ["-" * (w + 2) if i < 2 else "-" * (w + 1) + ":" for i, w in enumerate(widths)]
    lines.insert(1, "|" + "|".join(rule) + "|")
    return "\n".join(lines)


def machine() -> str:
    processor = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    tools = ", ".join(f"{DISTRIBUTIONS[tool]} {version}" for tool, version in versions().items())
    return (
        f"{names[0] if names else processor}, {os.cpu_count()} processors, {platform.system()}; "
        f"Python {platform.python_version()}, NumPy {np.__version__}, {tools}; "
        f"{datetime.date.today().isoformat()}."
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.small_ops")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/small_ops.md")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--processes", type=int, default=3, help="fresh processes for each first call")
    options = parser.parse_args()
    warnings.simplefilter("ignore")

    about = machine()
    print(about, "\n", flush=True)
    speed = as_markdown(speed_table({program: measure(program, options.rounds) for program in TIMED}))
    print("Value and gradient\n")
    print(speed, flush=True)
    first = {
        program: {tool: first_call.measure(tool, program, options.processes) for tool in TOOLS}
        for program in (*TIMED, "thirty_lines")
    }
    calls = as_markdown(first_call_table(first))
    imports = ", ".join(f"{tool} {first['newton'][tool].importing * 1e3:.0f} ms" for tool in TOOLS)
    print("\nFirst call\n")
    print(calls)
    print(f"\nImporting, not counted above: {imports}.")
    if options.save:
        path = Path(__file__).with_name("results") / "small_ops.md"
        path.parent.mkdir(exist_ok=True)
        path.write_text(_report(about, speed, calls, imports))
        print(f"\nwritten to {path}")


def _report(about: str, speed: str, calls: str, imports: str) -> str:
    return f"""# Small operations

Written by `make bench`; do not edit. {about}

## Value and gradient

The least time of a call over interleaved rounds. "Over plain" is the time over that of the plain
Python/NumPy program; "over ours" is the tool's time over Myia's. Every gradient was first checked
against central differences.

{speed}

## First call

The time of the first value and gradient, the compilation included: in a fresh process, and for a new
function once the tool has compiled others. tangent-ad's cache on disk is off.

{calls}

Importing, not counted above: {imports}.
"""


if __name__ == "__main__":
    main()
