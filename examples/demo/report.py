"""What the demo shows on the terminal: headings, code in colour, progress, figures.

On a terminal there are live bars; in a file or a pipe there is one line now and then instead.
"""

from __future__ import annotations

import inspect
import itertools
import math
import textwrap
import time
from collections.abc import Callable, Iterable
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.syntax import Syntax

# Wide enough for the lines of the emitted code when nobody says how wide the terminal is.
console = Console(highlight=False)
if not console.is_terminal:
    console = Console(highlight=False, width=118)


def heading(title: str) -> None:
    console.print()
    console.rule(f"[bold]{title}")
    console.print()


def say(text: str) -> None:
    console.print(text)


def code(title: str, source: str) -> None:
    """Python in colour, in a box; comments that do not fit are cut short, code is wrapped."""
    fitting = "\n".join(_shortened(line, console.width - 4) for line in source.rstrip().splitlines())
    syntax = Syntax(fitting, "python", theme="ansi_dark", word_wrap=True, background_color="default")
    console.print(
        Panel(syntax, title=f"[bold]{title}", title_align="left", box=box.ROUNDED, border_style="cyan")
    )


def _shortened(line: str, width: int) -> str:
    comment = line.find("  # ")
    if len(line) <= width or comment < 0 or comment > width:
        return line
    return line[: width - 1] + "…" if comment < width - 20 else line[:comment]


def source_of(*functions: Callable[..., Any]) -> str:
    return "\n".join(textwrap.dedent(inspect.getsource(function)) for function in functions)


def quotation(text: str) -> None:
    console.print(textwrap.indent(escape(text), "    "), style="italic", soft_wrap=True)


def figures(rows: Iterable[tuple[str, str]]) -> None:
    rows = list(rows)
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        console.print(f"[bold]{name:{width}}[/]   {escape(value)}", soft_wrap=True)


def progress(name: str, total: int, updates: Iterable[str]) -> None:
    """Run through `updates`, one a unit of work, each a short text that says how it goes."""
    if console.is_terminal:
        _bar(name, total, updates)
    else:
        _lines(name, total, updates)


def _bar(name: str, total: int, updates: Iterable[str]) -> None:
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=36),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[state]}"),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(name, total=total, state="")
        for state in updates:
            bar.update(task, advance=1, state=state)


def _lines(name: str, total: int, updates: Iterable[str]) -> None:
    for n, state in enumerate(updates, 1):
        if n == 1 or n == total or n * 8 // total != (n - 1) * 8 // total:
            console.print(f"{name} {n:5}/{total}   {state}")


def sparkline(values: list[float], width: int = 40) -> str:
    """Positive values, averaged into `width` blocks and drawn as a row of bars on a logarithmic scale."""
    bars = "▁▂▃▄▅▆▇█" if console.encoding.startswith("utf") else "_.:-=+*#"
    cuts = [len(values) * i // width for i in range(width + 1)]
    blocks = [math.log(sum(values[a:b]) / (b - a)) for a, b in itertools.pairwise(cuts) if b > a]
    low, high = min(blocks), max(blocks)
    return "".join(bars[int((block - low) / (high - low + 1e-12) * 7.99)] for block in blocks)


def fastest(function: Callable[[], Any], seconds: float = 0.4) -> float:
    """The least time of one call, in seconds, out of as many as fit."""
    times = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)
