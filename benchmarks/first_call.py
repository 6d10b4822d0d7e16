"""The time of a first call, the compilation included.

    python -m benchmarks.first_call TOOL PROGRAM

prints four numbers of a fresh process, in seconds: importing the tool, the first value and gradient,
the second call, and the median first call of five more functions that the tool has never seen (copies
of the program under other names, in other files) once its own code is warm.
"""

from __future__ import annotations

import importlib
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.tools import PROGRAMS, load_programs, program_for, value_and_gradient


@dataclass(frozen=True)
class FirstCall:
    """Seconds, each the median of several processes; `error` is the first line of what went wrong."""

    importing: float = float("nan")
    fresh_process: float = float("nan")
    second: float = float("nan")
    fresh_function: float = float("nan")
    error: str = ""


def measure(tool: str, program: str, processes: int = 5) -> FirstCall:
    runs = []
    for _ in range(processes):
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.first_call", tool, program]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return FirstCall(error=_last_line(done.stderr))
        runs.append([float(number) for number in done.stdout.split()])
    return FirstCall(*(statistics.median(column) for column in zip(*runs, strict=True)))


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1][:120] if lines else "no message"


def _in_this_process(tool: str, program: str) -> list[float]:
    importing = _seconds(lambda: importlib.import_module(tool))
    programs = load_programs(tool)
    args = programs.arguments(program)
    function = program_for(tool, program, programs)
    compiled = []
    first = _seconds(lambda: compiled.append(value_and_gradient(tool, function)) or compiled[0](*args))
    second = _seconds(lambda: compiled[0](*args))

    spelling = function.__name__
    text = PROGRAMS.read_text()
    fresh = []
    with tempfile.TemporaryDirectory() as folder:
        for copy in range(5):
            name = f"{spelling}_{copy}"
            path = Path(folder, f"{name}.py")
            path.write_text(text.replace(f"def {spelling}(", f"def {name}("))
            another = getattr(load_programs(tool, path), name)
            fresh.append(_seconds(lambda another=another: value_and_gradient(tool, another)(*args)))
    return [importing, first, second, statistics.median(fresh)]


def _seconds(action) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


if __name__ == "__main__":
    print(*_in_this_process(sys.argv[1], sys.argv[2]))
