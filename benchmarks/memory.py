"""Memory and time of value and gradient: Myia beside torch eager, autograd and JAX jit, in one run.

    python -m benchmarks.memory [--save] [--rounds N] [--only PROGRAM] [--peers-only]
    python -m benchmarks.memory --child TOOL PROGRAM

Five programs (`benchmarks/memory_programs.py`). Each tool runs each of them in a process of its own, which
`--child` is: it calls the gradient at a tiny size, then at the full one, and tells by how much its resident
memory grew at the worst moment. The gradients are compared with one another before anything counts. Then the
processes take turns, round by round, so that a slow moment of the machine hits all of them; what counts is
the least time of a call. All have two processors and two threads, and double precision.

Then Myia alone: every optimisation switched off in its turn, beside all on and all off; and what the
optimiser takes of a first call.

`--save` writes benchmarks/results/memory.md. A peer that is not installed is left out.
"""

from __future__ import annotations

import argparse
import datetime
import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import memory_programs
from benchmarks.inplace import growth
from benchmarks.memory_programs import PROGRAMS
from benchmarks.runtime import aim, least, ms, say, table
from benchmarks.small_ops import as_markdown
from benchmarks.tools import load_programs

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).with_name("results") / "memory.md"
SOURCE = Path(memory_programs.__file__)
NAMES = {"myia": "Myia", "torch": "torch eager", "autograd": "autograd", "jax": "JAX jit"}
TOOLS = tuple(tool for tool in NAMES if find_spec(tool))
THREADS = 2

Call = Callable[[], tuple[Any, Any]]
"""Value and gradients at fixed arguments; gives them when they are there."""

# -- the tools, each in its own process ---------------------------------------------------------------


def prepare(tool: str, program: str, tiny: bool = False) -> Call:
    """Compiled where the tool compiles, the arguments in the tool's own arrays."""
    programs = load_programs(tool, SOURCE)
    function = getattr(programs, programs.SPELLING.get((tool, program), program))
    args = memory_programs.arguments(program, tiny)
    return PREPARE[tool](function, args, PROGRAMS[program])


def _with_myia(function: Callable[..., Any], args: tuple[Any, ...], program: Any, **how: Any) -> Call:
    import myia
    from myia.runtime import set_workers

    set_workers(THREADS)
    gradient = myia.value_and_grad(function, wrt=program.wrt, **how)
    gradient.source_for(*args)
    return lambda: gradient(*args)


def _with_torch(function: Callable[..., Any], args: tuple[Any, ...], program: Any) -> Call:
    import torch

    torch.set_num_threads(THREADS)
    given = _mapped(lambda x: torch.from_numpy(x) if isinstance(x, np.ndarray) else x, args)
    inputs = [x.requires_grad_() for i in program.wrt for x in leaves(given[i])]

    def call() -> tuple[Any, Any]:
        value = function(*given)
        return value.detach(), torch.autograd.grad(value, inputs)

    return call


def _with_autograd(function: Callable[..., Any], args: tuple[Any, ...], program: Any) -> Call:
    import autograd

    gradient = autograd.value_and_grad(function, argnum=program.wrt)
    return lambda: gradient(*args)


def _with_jax(function: Callable[..., Any], args: tuple[Any, ...], program: Any) -> Call:
    import jax

    jax.config.update("jax_enable_x64", True)
    gradient = jax.jit(jax.value_and_grad(function, argnums=program.wrt), static_argnums=program.static)
    given = [jax.device_put(x) for i, x in enumerate(args) if i not in program.static]
    compiled = gradient.lower(*args).compile()
    return lambda: jax.block_until_ready(compiled(*given))


PREPARE: dict[str, Callable[..., Call]] = {
    "myia": _with_myia, "torch": _with_torch, "autograd": _with_autograd, "jax": _with_jax,
}  # fmt: skip


def _mapped(function: Callable[[Any], Any], tree: Any) -> Any:
    if isinstance(tree, (list, tuple)):
        return type(tree)(_mapped(function, item) for item in tree)
    return function(tree)


def leaves(tree: Any) -> Iterator[Any]:
    if isinstance(tree, (list, tuple)):
        for item in tree:
            yield from leaves(item)
    else:
        yield tree


def answer(tool: str, program: str) -> None:
    """What a child does."""
    prepare(tool, program, tiny=True)()
    serve(tool, prepare(tool, program))


def serve(tool: str, call: Call) -> None:
    """Tells the peak of a call, then for each line of input saves its results or times another call."""
    storages = None
    if tool == "myia":
        from myia.runtime import memory_stats, reset_peak, trim

        trim()
        live = memory_stats()["live"]
        reset_peak()
        process = growth(call)
        storages = memory_stats()["peak"] - live
    else:
        process = growth(call)
    print(json.dumps([process, storages]), flush=True)
    for line in sys.stdin:
        if line.strip() == "time":
            print(seconds_of(call), flush=True)
        else:
            np.savez(line.strip(), *map(np.asarray, leaves(_mapped(np.asarray, call()))))
            print(0.0, flush=True)


def seconds_of(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    result = call()
    seconds = time.perf_counter() - start
    del result  # freeing it is not counted
    return seconds


class Child:
    """A tool with one program, in a process of its own, which `--child` of a benchmark makes of `words`."""

    def __init__(self, *words: str, benchmark: str = "memory", **variables: str) -> None:
        command = [sys.executable, "-W", "ignore", "-m", f"benchmarks.{benchmark}", "--child", *words]
        variables = environment() | variables
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=variables
        )
        self.process, self.storages = json.loads(self._line())

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def save(self, path: Path) -> None:
        """Write value and gradients into a file."""
        self._ask(str(path))

    def seconds(self) -> float:
        return self._ask("time")

    def _ask(self, what: str) -> float:
        print(what, file=self._process.stdin, flush=True)
        return float(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise ChildProcessError("the process of a tool has ended; what it said is above")
        return line


def environment() -> dict[str, str]:
    count = str(THREADS)
    return os.environ | {"OPENBLAS_NUM_THREADS": count, "OMP_NUM_THREADS": count, "MKL_NUM_THREADS": count}


def on_few_processors() -> None:
    """XLA takes as many threads as there are processors, whatever is asked of it."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])


# -- beside the peers ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Figures:
    """Of one tool with one program: bytes and seconds.

    `process`: by which the process grew; `storages`: the most that the runtime's arrays took.
    """

    process: int
    storages: int | None
    seconds: float


def compare(program: str, rounds: int) -> dict[str, Figures]:
    with ExitStack() as stack:
        children = {tool: stack.enter_context(Child(tool, program)) for tool in TOOLS}
        check(children, PROGRAMS[program].title)
        seconds = least({tool: child.seconds for tool, child in children.items()}, rounds)
    return {tool: Figures(c.process, c.storages, seconds[tool]) for tool, c in children.items()}


def check(children: dict[str, Child], program: str) -> None:
    """Raises ArithmeticError unless all have found the same."""
    with tempfile.TemporaryDirectory() as folder:
        found = {}
        for tool, child in children.items():
            path = Path(folder, f"{tool}.npz")
            child.save(path)
            with np.load(path) as file:
                found[tool] = [file[name] for name in file.files]
        for tool, results in found.items():
            if len(results) != len(found["myia"]) or not all(map(_same, found["myia"], results)):
                raise ArithmeticError(f"{program}: {NAMES[tool]} finds another value or gradient than Myia")


def _same(a: Any, b: Any) -> bool:
    return a.shape == b.shape and np.allclose(a, b, rtol=1e-8, atol=1e-10 * np.max(np.abs(a)))


def input_bytes(program: str) -> int:
    return sum(x.nbytes for x in leaves(memory_programs.arguments(program)) if isinstance(x, np.ndarray))


def peers_table(results: dict[str, dict[str, Figures]]) -> str:
    rows = [["program", "", "peak", "over inputs", "over ours", "storages", "time", "over ours"]]
    for program, figures in results.items():
        inputs, ours = input_bytes(program), figures["myia"]
        for tool, it in figures.items():
            over_ours = [f"{it.process / ours.process:.2f}", f"{it.seconds / ours.seconds:.2f}"]
            rows.append(
                [
                    PROGRAMS[program].title if tool == "myia" else "",
                    NAMES[tool],
                    mb(it.process),
                    f"{it.process / inputs:.2f}",
                    "" if tool == "myia" else over_ours[0],
                    "" if it.storages is None else mb(it.storages),
                    ms(it.seconds),
                    "" if tool == "myia" else over_ours[1],
                ]
            )
    return as_markdown(rows)


def mb(count: float) -> str:
    return f"{count / 1e6:,.1f} MB"


def aims(results: dict[str, dict[str, Figures]]) -> str:
    """What was to be reached, and what is."""
    lines = []
    for program, figures in results.items():
        ours = figures["myia"]
        peers = {tool: it for tool, it in figures.items() if tool != "myia"}
        if not peers:
            continue
        best = min(peers, key=lambda tool: peers[tool].process)
        told = [f"peak over that of the best peer, {NAMES[best]}: {_aim(ours, peers[best], 1.0)}"]
        if "autograd" in peers:
            told.append(f"over autograd's: {_aim(ours, peers['autograd'], 0.5)}")
        if program == "chain" and "torch" in peers:
            ratio = ours.seconds / peers["torch"].seconds
            told.append(f"time over torch eager's: {aim(ratio, 0.5, most=True)}")
        lines.append(f"- {PROGRAMS[program].title}: {'; '.join(told)}.")
    return "\n".join(lines)


def _aim(ours: Figures, theirs: Figures, bound: float) -> str:
    return aim(ours.process / theirs.process, bound, most=True)


# -- each optimisation's own share ----------------------------------------------------------------------


def shares(program: str, rounds: int) -> dict[str, tuple[int, float]]:
    """Peak of the runtime's storages in bytes, and seconds: all on, each off, all off."""
    import myia
    from myia.runtime import memory_stats, reset_peak, wait_all

    function = getattr(load_programs("myia", SOURCE), program)
    args, tiny = (memory_programs.arguments(program, t) for t in (False, True))
    names = tuple(myia.OPTIMISATIONS)
    ways: dict[str, tuple[str, ...]] = {"all on": names}
    ways |= {name: tuple(n for n in names if n != name) for name in names}
    ways["all off"] = ()
    calls = {}
    for way, chosen in ways.items():
        _with_myia(function, tiny, PROGRAMS[program], optimise=chosen)()
        calls[way] = _with_myia(function, args, PROGRAMS[program], optimise=chosen)
    peaks = {}
    for way, call in calls.items():
        gc.collect()
        wait_all()  # what earlier calls left is gone
        live = memory_stats()["live"]
        reset_peak()
        result = call()
        wait_all()
        peaks[way] = memory_stats()["peak"] - live
        del result
    seconds = least({way: lambda call=call: seconds_of(call) for way, call in calls.items()}, rounds)
    return {way: (peaks[way], seconds[way]) for way in ways}


def shares_table(results: dict[str, dict[str, tuple[int, float]]]) -> str:
    rows = [["", *(_short(program) for program in results)]]
    for way in next(iter(results.values())):
        cells = []
        for found in results.values():
            (peak, seconds), (all_peak, all_seconds) = found[way], found["all on"]
            if way == "all on":
                cells.append(f"{mb(peak)}, {ms(seconds)}")
            else:
                cells.append(f"{peak / all_peak:.2f}, {seconds / all_seconds:.2f}")
        rows.append([way if way.startswith("all") else f"without `{way}`", *cells])
    return table(rows)


def _short(program: str) -> str:
    return PROGRAMS[program].title.partition(",")[0]


# -- what optimising costs ------------------------------------------------------------------------------


def first_calls(copies: int = 9) -> dict[str, float]:
    """Seconds of the first call of a function of 30 lines, once the compiler itself is warm: medians."""
    import myia
    from benchmarks.tools import PROGRAMS as PATH

    text = PATH.read_text()
    ways = {"all on": True, "all off": False}
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        for copy in range(copies + 1):
            for way, optimise in ways.items():
                name = f"thirty_lines_{copy}_{way[4:]}"
                path = Path(folder, f"{name}.py")
                path.write_text(text.replace("def thirty_lines(", f"def {name}("))
                programs = load_programs("myia", path)
                gradient = myia.value_and_grad(getattr(programs, name), optimise=optimise)
                args = programs.arguments("thirty_lines")
                gc.collect()
                seconds[way].append(seconds_of(lambda gradient=gradient, args=args: gradient(*args)))
    return {way: statistics.median(found[1:]) for way, found in seconds.items()}


def compiling() -> str:
    found = first_calls()
    part = 1.0 - found["all off"] / found["all on"]
    return f"""
        The first call of a function of 30 lines (`thirty_lines` of benchmarks/programs.py) that the warm
        compiler has never seen takes {ms(found["all on"])} with all optimisations and {ms(found["all off"])}
        with none, medians of nine: optimising is {part:.0%} of it.
    """


# -- the report -----------------------------------------------------------------------------------------

ABOUT = """
    Value and gradient in double precision, two threads each. "Peak" is by how much the resident memory of a
    fresh process grows at the worst moment of the first call at this size, its result included and its
    arguments not; "storages" is what Myia's runtime itself counts; "over inputs" is the peak over the bytes
    of the arguments. "Time" is the least of a call over interleaved rounds. "Over ours" is the peer's figure
    over Myia's. The gradients were first compared with one another. JAX compiles before the measured call,
    and that is not counted. The heat equation writes in place for Myia, on a clone at each step for torch,
    with `.at[].add` in a `fori_loop` for JAX, and makes a new array at each step for autograd; the RNN is a
    scan for JAX.
"""

ABOUT_SHARES = """
    Peak of the runtime's storages and time, each optimisation switched off alone, as ratios over all on: more
    than 1 is what it saves. One process, interleaved rounds.
"""


def machine() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    tools = "".join(f", {tool} {version(tool)}" for tool in TOOLS)
    return (
        f"{names[0] if names else platform.machine()}, {os.cpu_count()} processors, {platform.system()}; "
        f"Python {platform.python_version()}, NumPy {np.__version__}{tools}; "
        f"{datetime.date.today().isoformat()}, load average {os.getloadavg()[0]:.1f}."
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/memory.md")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=PROGRAMS, help="one program")
    parser.add_argument("--peers-only", action="store_true", help="not each optimisation's share")
    parser.add_argument("--child", nargs=2, metavar=("TOOL", "PROGRAM"), help="be the process of a tool")
    parser.add_argument("--shares", choices=PROGRAMS, help="the shares of one program, as JSON")
    options = parser.parse_args()
    on_few_processors()
    if options.child:
        answer(*options.child)
        return
    if options.shares:
        print(json.dumps(shares(options.shares, options.rounds)))
        return

    about = machine()
    print(about, "\n", flush=True)
    chosen = [options.only] if options.only else list(PROGRAMS)
    compared = {}
    for program in chosen:
        compared[program] = compare(program, options.rounds)
        print(peers_table({program: compared[program]}), "\n", flush=True)
    peers, reached = peers_table(compared), aims(compared)
    print(f"{reached}\n", flush=True)
    if options.peers_only:
        return
    share = shares_table({program: _shares_of(program, options.rounds) for program in chosen})
    print(f"{share}\n", flush=True)
    compile_time = say(compiling())
    print(compile_time)
    if options.save:
        head = say(f"Written by `python -m benchmarks.memory --save`; do not edit. {about}")
        parts = [
            f"# Memory\n\n{head}",
            f"## Beside the peers\n\n{say(ABOUT)}\n\n{peers}",
            f"## What was aimed at\n\n{reached}",
            f"## Each optimisation's own share\n\n{say(ABOUT_SHARES)}\n\n{share}",
            f"## What optimising costs\n\n{compile_time}",
        ]
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
        print(f"\nwritten to {RESULTS}")


def _shares_of(program: str, rounds: int) -> dict[str, Any]:
    """In a process of its own."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.memory", "--shares", program]
    command += ["--rounds", str(rounds)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT, env=environment())
    return json.loads(done.stdout)


if __name__ == "__main__":
    main()
