"""Gradients within a budget of memory: planned and measured peak, steps run again, time; and the peers.

    python -m benchmarks.checkpoint [--save] [--rounds N] [--only PROGRAM] [--budgets-only]
    python -m benchmarks.checkpoint --child TOOL PROGRAM HOW...
    python -m benchmarks.checkpoint --budgets PROGRAM

Six programs with long loops (`benchmarks/checkpoint_programs.py`). First Myia alone, with less and less
memory: from all that it wants to nearly the least that it does not refuse. The gradient must be the one
without a budget, bit for bit; the measured peak must not be above the budget; less memory asked must not
mean more memory used; and where the number of steps is known, those run again must be as few as the
snapshots allow. What is not so is told below the tables, and ends the benchmark with ArithmeticError.

Then beside `jax.checkpoint` and `torch.utils.checkpoint`, each in a process of its own, as in
`benchmarks/memory.py`: what a peer's best way of cutting the loop into segments takes, Myia is given.

`--save` writes benchmarks/results/checkpoint.md. A peer that is not installed is left out.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import myia
from benchmarks import checkpoint_programs
from benchmarks.checkpoint_programs import PROGRAMS, UNKNOWN
from benchmarks.memory import (
    NAMES,
    PREPARE,
    ROOT,
    THREADS,
    Child,
    check,
    environment,
    leaves,
    machine,
    mb,
    on_few_processors,
    serve,
)
from benchmarks.runtime import aim, least, ms, say
from benchmarks.small_ops import as_markdown
from benchmarks.tools import load_programs
from myia.errors import MemoryBudget
from myia.runtime import memory_stats, reset_peak, set_workers, trim
from myia.runtime.schedule import least_advances

RESULTS = Path(__file__).with_name("results") / "checkpoint.md"
SOURCE = Path(checkpoint_programs.__file__)
PARTS = {"all": 1, "1/2": 2, "1/4": 4, "1/10": 10, "1/30": 30}
LOW = 3
"""The lowest budget that is measured is the least possible one and so many states."""
PEERS = tuple(tool for tool in ("jax", "torch") if find_spec(tool))

# -- less and less memory -----------------------------------------------------------------------------


@dataclass
class Kept:
    """What a gradient did with a budget; bytes and seconds.

    `first`, `later`: the measured peak of the first call, and of the calls after it, which know what
    reversing a step took; `advanced`: the steps that were run again on the way to another; `optimum`: the
    fewest that so many snapshots allow.
    """

    budget: int | None
    planned: int = 0
    first: int = 0
    later: int = 0
    steps: int = 0
    snapshots: int = 0
    state: int = 0
    advanced: int = 0
    optimum: int = 0
    seconds: float = math.inf

    @property
    def peak(self) -> int:
        return max(self.first, self.later)


@dataclass
class Sweep:
    """A program with all budgets, the largest first.

    `lowest`: the fewest bytes that are not refused; `wrong`: what should not be.
    """

    lowest: int
    rows: dict[str, Kept] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def sweep(program: str, rounds: int) -> Sweep:
    """In this process."""
    set_workers(THREADS)
    function, wrt = getattr(load_programs("myia", SOURCE), program), PROGRAMS[program].wrt
    args = checkpoint_programs.arguments(program)
    tiny = checkpoint_programs.arguments(program, tiny=True)
    gradients: dict[str, Any] = {"no budget": myia.value_and_grad(function, wrt=wrt)}
    gradients["no budget"](*tiny)
    right: list[bytes] = []
    start = time.perf_counter()
    everything = peak_of(lambda: right.extend(elements(gradients["no budget"](*args))))
    patience = 2.0 + 3.0 * (time.perf_counter() - start)
    lowest = least_budget(function, wrt, args, patience)
    found = Sweep(lowest)
    found.rows["no budget"] = Kept(None, first=everything)
    # From one snapshot only a loop is reversed in as many steps as half the square of their number.
    state = reported(myia.value_and_grad(function, wrt=wrt, memory="minimal"), args, None).state
    asked: dict[str, int | str] = {part: everything // by for part, by in PARTS.items()}
    asked["low"] = lowest + LOW * state
    asked = {name: most for name, most in asked.items() if name == "low" or int(most) > int(asked["low"])}
    asked["minimal"] = "minimal"
    for name, memory in asked.items():
        gradient = gradients[name] = myia.value_and_grad(function, wrt=wrt, memory=memory)
        found.rows[name] = reported(gradient, args, None if memory == "minimal" else int(memory))
        gradient.source_for(*args)

    called = dict.fromkeys(gradients, 0)

    def timed(name: str) -> float:
        seconds, results, row = [math.inf], [], found.rows[name]

        def call() -> None:
            start = time.perf_counter()
            given = gradients[name](*args)
            seconds.append(time.perf_counter() - start)
            results.extend(elements(given))

        called[name] += 1
        try:
            peak = peak_of(call)
        except MemoryBudget as error:
            found.wrong.append(f"{name}: call {called[name]} is refused, and wants {_told(error):,} bytes")
            return math.inf
        if results != right:
            found.wrong.append(f"{name}: another gradient than without a budget")
        if called[name] == 1:
            row.first = max(row.first, peak)
        else:
            row.later = max(row.later, peak)
        return seconds[-1]

    for name, seconds in least({name: partial(timed, name) for name in gradients}, rounds).items():
        found.rows[name].seconds = seconds
    found.wrong += wrong(found.rows, known=program not in UNKNOWN)
    return found


def elements(results: Any) -> list[bytes]:
    """The bytes of value and gradients: to compare, and no memory of the runtime's."""
    return [np.asarray(x).tobytes() for x in leaves(results)]


def peak_of(call: Callable[[], Any]) -> int:
    """The most that the runtime's arrays take during a call, beside those that are there."""
    trim()
    live = memory_stats()["live"]
    reset_peak()
    call()
    return int(memory_stats()["peak"] - live)


def least_budget(
    function: Callable[..., Any], wrt: tuple[int, ...], args: tuple[Any, ...], patience: float
) -> int:
    """The fewest bytes that are not refused, as the refusals tell them.

    A refusal comes when the loop has begun; a call that takes longer than `patience`, in seconds, is none.
    """

    def enough(*_: object) -> None:
        raise TimeoutError

    given = 1
    before = signal.signal(signal.SIGALRM, enough)
    try:
        for _ in range(20):
            gradient = myia.value_and_grad(function, wrt=wrt, memory=given)
            gradient.source_for(*args)
            signal.setitimer(signal.ITIMER_REAL, patience)
            try:
                gradient(*args)
            except MemoryBudget as error:
                given = max(given + 1, _told(error))
            except TimeoutError:
                return given
            else:
                return given
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0.0)
    finally:
        signal.signal(signal.SIGALRM, before)
    raise ArithmeticError(f"what a refusal names as enough is refused again: {given}")


def _told(error: MemoryBudget) -> int:
    match = re.search(r"give it (\d+) (bytes|kB|MB|GB) or more", str(error))
    if match is None:
        raise ArithmeticError(f"a refusal names no amount: {error}")
    return int(match[1]) * {"bytes": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}[match[2]]


def reported(gradient: Any, args: tuple[Any, ...], budget: int | None) -> Kept:
    """What the report of a gradient with this budget says. The programs have one loop."""
    report = gradient.memory_report(*args)
    (loop,) = report.loops.values()
    # The first sweep is an advance over all steps, with one more step after the loop.
    optimum = least_advances(loop.steps + 1, loop.snapshots) - loop.steps
    return Kept(
        budget, loop.planned, report.peak, 0, loop.steps, loop.snapshots, loop.state, loop.advanced, optimum
    )


def wrong(rows: dict[str, Kept], known: bool) -> list[str]:
    """What should not be, of one program."""
    told = []
    limited = {name: row for name, row in rows.items() if row.budget is not None}
    for name, row in limited.items():
        for when, peak in (("the first call", row.first), ("a later call", row.later)):
            if peak > (row.budget or 0):
                told.append(f"{name}: {when} took {peak:,} bytes, its budget is {row.budget:,}")
    for name, row in rows.items():
        if known and row.advanced != row.optimum:
            told.append(
                f"{name}: {row.advanced:,} steps run again, {row.optimum:,} are enough"
                f" with {row.snapshots:,} snapshots"
            )
    names = list(limited)
    for more, less in pairwise(names):
        for when in ("first", "later"):
            used, before = getattr(limited[less], when), getattr(limited[more], when)
            if used > before:
                told.append(f"{less}: takes {used:,} bytes, more than {before:,} of {more} ({when} call)")
    return told


def sweep_of(program: str, rounds: int) -> Sweep:
    """In a process of its own."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.checkpoint", "--budgets", program]
    command += ["--rounds", str(rounds)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT, env=environment())
    told = json.loads(done.stdout)
    rows = {name: Kept(**row) for name, row in told["rows"].items()}
    return Sweep(told["lowest"], rows, told["wrong"])


def sweeps_table(found: dict[str, Sweep]) -> str:
    rows = [
        [
            "program", "memory", "budget", "planned", "measured", "of all", "snapshots", "run again",
            "optimum", "time", "over no budget",
        ]
    ]  # fmt: skip
    for program, it in found.items():
        free = it.rows["no budget"]
        for name, row in it.rows.items():
            line = [
                PROGRAMS[program].title if row is free else "",
                name,
                "" if row.budget is None else mb(row.budget),
                mb(row.planned) if row.planned else "",
                mb(row.peak),
                f"1/{free.peak / row.peak:.1f}",
            ]
            if row is free:
                line += ["", "", "", ms(row.seconds), ""]
            else:
                counts = f"{row.snapshots:,}", f"{row.advanced:,}", f"{row.optimum:,}"
                line += [*counts, ms(row.seconds), f"{row.seconds / free.seconds:.2f}"]
            rows.append(line)
    return as_markdown(rows)


def aims(found: dict[str, Sweep]) -> str:
    """What was to be reached, and what is."""
    lines = []
    for program, it in found.items():
        free = it.rows["no budget"]
        tenth = it.rows.get("1/10")
        title = PROGRAMS[program].title
        if tenth is None:
            row = it.rows["low"]
            lines.append(
                f"- {title}: a tenth of the memory is less than the lowest budget here; with"
                f" 1/{free.peak / row.peak:.1f}, time over that without a budget"
                f" {row.seconds / free.seconds:.2f}: missed."
            )
        else:
            lines.append(
                f"- {title}: with 1/{free.peak / tenth.peak:.1f} of the memory,"
                f" time over that without a budget {aim(tenth.seconds / free.seconds, 2.0, most=True)}."
            )
    told = [f"  - {PROGRAMS[program].title}: {text}." for program, it in found.items() for text in it.wrong]
    lowest = [f"{PROGRAMS[p].title} {mb(it.lowest)}" for p, it in found.items()]
    lines.append(f"- The least that is not refused: {'; '.join(lowest)}.")
    count = sum(len(it.rows) for it in found.values())
    judged = "every gradient the same to the last bit, no measured peak above its budget, less memory asked"
    judged += " never more used, steps run again at the optimum where their number is known"
    lines.append(f"- {judged}: {'missed:' if told else f'met in all {count} rows.'}")
    return "\n".join(lines + told)


# -- beside the peers ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Way:
    """How a peer cuts a loop: so many steps in a segment; `each`: whether these are checkpoints again."""

    length: int
    each: bool = False

    def __str__(self) -> str:
        return f"segments of {self.length}{', each step too' if self.each else ''}"


def ways(tool: str, steps: int) -> list[Way]:
    root = math.isqrt(steps)
    if tool == "jax":
        return [Way(root), Way(max(1, root // 3)), Way(root, each=True)]
    return [Way(root), Way(max(1, root // 3))]


def answer(tool: str, program: str, *how: str) -> None:
    """What a child does.

    `how`: Myia's budget; a peer's number of steps, the length of its segments, and 1 if each step is a
    checkpoint again.
    """
    about = PROGRAMS[program]
    if tool == "myia":
        function = getattr(load_programs(tool, SOURCE), program)
        tiny, full = (checkpoint_programs.arguments(program, t) for t in (True, False))
        PREPARE[tool](function, tiny, about)()
        serve(tool, PREPARE[tool](function, full, about, memory=int(how[0])))
        return
    steps, length, each = map(int, how)
    programs = load_programs(tool, SOURCE)
    function = getattr(programs, f"{program}_in_segments")
    by_tool = getattr(programs, f"run_by_{tool}")
    options = {"each": bool(each)} if tool == "jax" else {}
    for tiny_one in (True, False):
        programs.run = partial(by_tool, length=2 if tiny_one else length, **options)  # type: ignore[attr-defined]
        args = checkpoint_programs.arguments(program, tiny_one)
        if program in UNKNOWN:
            args = (*args, 5 if tiny_one else steps)
        call = PREPARE[tool](function, args, about)
        if tiny_one:
            call()
    serve(tool, call)


@dataclass(frozen=True)
class Beside:
    """A peer's best way, and Myia with as much memory: bytes and seconds; `storages`: Myia's arrays."""

    way: str
    process: int
    seconds: float
    budget: int
    our_process: int
    storages: int
    our_seconds: float


# The C library keeps arrays of this size in heaps that it does not give back, in pieces that no other array
# fits into: for the same program torch's process has grown by 12 MB with this and by up to 320 MB without.
_EXACT = {"MALLOC_MMAP_THRESHOLD_": "65536"}


def peak(*words: object) -> tuple[int, int | None]:
    """By how much a fresh process grows, and what the runtime's arrays take of that if it is Myia's."""
    with Child(*map(str, words), benchmark="checkpoint", **_EXACT) as child:
        return child.process, child.storages


def compare(program: str, steps: int, lowest: int, rounds: int) -> dict[str, Beside]:
    found = {}
    for tool in PEERS:
        tried = {way: peak(tool, program, steps, way.length, int(way.each))[0] for way in ways(tool, steps)}
        way = min(tried, key=lambda way: tried[way])
        theirs = tried[way]
        budget = max(theirs, lowest)
        ours, storages = peak("myia", program, budget)
        # Myia's process grows by more than its arrays: that comes off the budget.
        less = max(lowest, theirs - max(0, ours - (storages or 0)))
        if ours > theirs and less < budget:
            budget = less
            ours, storages = peak("myia", program, budget)
        with (
            Child("myia", program, str(budget), benchmark="checkpoint") as with_myia,
            Child(
                tool, program, str(steps), str(way.length), str(int(way.each)), benchmark="checkpoint"
            ) as with_peer,
        ):
            check({"myia": with_myia, tool: with_peer}, PROGRAMS[program].title)
            seconds = least({"peer": with_peer.seconds, "ours": with_myia.seconds}, rounds)
        found[tool] = Beside(str(way), theirs, seconds["peer"], budget, ours, storages or 0, seconds["ours"])
    return found


def peers_table(found: dict[str, dict[str, Beside]]) -> str:
    rows = [["program", "", "how", "peak", "over ours", "storages", "time", "over ours"]]
    for program, peers in found.items():
        for number, (tool, it) in enumerate(peers.items()):
            title = PROGRAMS[program].title if number == 0 else ""
            over_ours = f"{it.process / it.our_process:.2f}", f"{it.seconds / it.our_seconds:.2f}"
            rows += [
                [title, NAMES[tool], it.way, mb(it.process), over_ours[0], "", ms(it.seconds), over_ours[1]],
                [
                    "", "Myia", f"`memory={it.budget}`", mb(it.our_process), "", mb(it.storages),
                    ms(it.our_seconds), "",
                ],
            ]  # fmt: skip
    return as_markdown(rows)


# -- the report -----------------------------------------------------------------------------------------

ABOUT = """
    Value and gradient in double precision, two threads. "Memory" is the part of the peak without a budget
    that is asked for; "low" is the least budget that is not refused and three states of the loop (with the
    least one there is a single snapshot, and reversing n steps takes half of n squared), "minimal" what
    `memory="minimal"` does. "Planned" is the peak that the first call plans for, "measured" the most that
    the runtime's arrays took in any call, the results included and the arguments not. "Run again" counts
    the steps that are run once more on the way to one that is reversed (which itself is run again, too, in
    every row with a budget), "optimum" how many are needed with so many snapshots if the number of steps is
    known beforehand, by `myia.runtime.schedule.least_advances`; in the two programs with a `while` loop it
    is not. Time is the least of a call over interleaved rounds in one process.
"""

ABOUT_PEERS = """
    "Peak" is by how much the resident memory of a fresh process grows at the worst moment of the first
    call, its result included and its arguments not; the C library is told to take memory for each array
    from the system (`MALLOC_MMAP_THRESHOLD_`), or torch's peak would be that of its heap. Time is the least
    of a call over interleaved rounds, in other processes that are not told so. JAX goes through a scan of
    scans, the inner ones within `jax.checkpoint`; torch through segments within
    `torch.utils.checkpoint.checkpoint`. Segments as long as the square root of the number of steps were
    tried, a third of that, and for JAX a checkpoint at each step within the segments; the way with the
    least peak is in the table. Neither can reverse in segments a loop that ends when it has found what it
    looks for, so they are told the number of its steps. Myia's budget is the peer's peak, less what Myia's
    process takes beside its arrays where that was too much, and never less than the lowest budget above.
    The gradients were first compared. "Over ours" is the peer's figure over Myia's below it.
"""


def save(about: str, swept: dict[str, Sweep], beside: dict[str, dict[str, Beside]]) -> None:
    head = say(f"Written by `python -m benchmarks.checkpoint --save`; do not edit. {about}")
    parts = [
        f"# Gradients within a budget of memory\n\n{head}",
        f"## Less and less memory\n\n{say(ABOUT)}\n\n{sweeps_table(swept)}",
        f"## What was aimed at\n\n{aims(swept)}",
    ]
    if beside:
        parts.append(f"## Beside the peers\n\n{say(ABOUT_PEERS)}\n\n{peers_table(beside)}")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.checkpoint")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/checkpoint.md")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=PROGRAMS, help="one program")
    parser.add_argument("--budgets-only", action="store_true", help="not the peers")
    parser.add_argument("--child", nargs="+", metavar=("TOOL", "PROGRAM"), help="be the process of a tool")
    parser.add_argument("--budgets", choices=PROGRAMS, help="the budgets of one program, as JSON")
    options = parser.parse_args()
    on_few_processors()
    if options.child:
        answer(*options.child)
        return
    if options.budgets:
        print(json.dumps(asdict(sweep(options.budgets, options.rounds))))
        return

    about = machine()
    print(about, "\n", flush=True)
    swept, beside = {}, {}
    for program in [options.only] if options.only else PROGRAMS:
        swept[program] = sweep_of(program, options.rounds)
        print(sweeps_table({program: swept[program]}), "\n", flush=True)
        if PEERS and not options.budgets_only:
            low = swept[program].rows["low"]
            beside[program] = compare(program, low.steps, low.budget or 1, options.rounds)
            print(peers_table({program: beside[program]}), "\n", flush=True)
        if options.save:  # what is there so far
            save(about, swept, beside)
    print(aims(swept))
    if any(it.wrong for it in swept.values()):
        raise ArithmeticError("a budget was not kept as it should be: see what is told above")


if __name__ == "__main__":
    main()
