"""Memory over time, as a picture: what `MemoryReport.plot` draws."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from time import perf_counter
from typing import Any

from myia._runtime import memory_stats, reset_peak
from myia.errors import MissingPackage

Samples = list[tuple[float, int]]
"""Seconds since the call began, and the most bytes that were live since the sample before."""


class Trace:
    """Samples of the memory that a run takes, beside what was there before."""

    def __init__(self) -> None:
        self.samples: Samples = []
        self._base = int(memory_stats()["live"])
        self._begin = perf_counter()
        reset_peak()

    def sample(self) -> None:
        peak = int(memory_stats()["peak"]) - self._base
        reset_peak()
        self.samples.append((perf_counter() - self._begin, peak))

    @property
    def peak(self) -> int:
        return max((peak for _, peak in self.samples), default=0)


def draw(path: str | os.PathLike[str], curves: Sequence[tuple[str, Samples, int | None]]) -> None:
    """Write a PNG of curves with labels; the budget of each, in bytes, is a dashed line."""
    figure = _matplotlib("figure").Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot(xlabel="seconds", ylabel="MB", title="memory of the arrays")
    for label, samples, budget in curves:
        times, peaks = zip(*_thinned(samples), strict=True)
        (line,) = axes.plot(times, [peak / 1e6 for peak in peaks], label=label, linewidth=1)
        if budget is not None:
            axes.axhline(budget / 1e6, color=line.get_color(), linestyle="--", linewidth=0.8)
    axes.set_ylim(bottom=0)
    axes.legend()
    _matplotlib("backends.backend_agg").FigureCanvasAgg(figure).print_png(os.fspath(path))


def _thinned(samples: Samples, most: int = 4000) -> Samples:
    """No more samples than a picture can show, each the peak of those that it stands for."""
    each = -(-len(samples) // most) or 1
    groups = [samples[k : k + each] for k in range(0, len(samples), each)]
    return [(group[-1][0], max(peak for _, peak in group)) for group in groups]


def _matplotlib(name: str) -> Any:
    try:
        return importlib.import_module(f"matplotlib.{name}")
    except ImportError as error:
        raise MissingPackage(
            "a plot needs matplotlib",
            reason=str(error),
            remedy="pip install 'myia[plot]', or read report.trace",
        ) from error
