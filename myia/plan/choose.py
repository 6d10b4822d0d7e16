"""The plan of each call: measured and solved when shapes are new, kept for later calls."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from myia._runtime import begin_stretch, end_stretch, memory_stats, wait_all
from myia.errors import MemoryBudget, UnsupportedSyntax
from myia.plan.measure import measured
from myia.plan.model import Block, Model, Plan
from myia.plan.solve import solve, thrifty
from myia.runtime.native import ARRAYS
from myia.runtime.snapshots import spelled

if TYPE_CHECKING:
    from myia.pipeline import Compiled

Compile = Callable[[tuple[tuple[int, int, str], ...], bool], "Compiled"]
"""Compiles with blocks, each with the reason, and with recursive functions divided or not."""

_MOST = 64
"""Combinations of shapes that are kept."""

_HOPELESS = 2
"""A budget is refused before the run if the model asks for so many times as much: it seldom asks for half
more than the run takes."""

_TRIES = 6
"""So many plans are tried before a budget is refused that no plan keeps by the model."""

_MARGIN = 1.25
"""The refusal then names so many times what the model asks for, since it may ask for a little less too."""


@dataclass
class Known:
    """What is known for one combination of argument types and shapes.

    `plan`: the blocks in use, for the budget `budget`; `factor`: measured bytes to planned ones, if more;
    `tried`: the measured peaks of plans that took too much; `following`: those to try next, the first now.
    """

    plain: Compiled
    """The gradient without blocks; while it is held here, no other has its identity."""
    model: Model | None
    plan: Plan | None = None
    budget: int | None = 0
    compiled: Compiled | None = None
    factor: float = 1.0
    divided: bool = False
    tried: dict[tuple[Block, ...], int] = field(default_factory=dict)
    following: list[Plan] = field(default_factory=list)

    def serves(self, budget: int | None) -> bool:
        """Whether the plan in use is good for a budget that may be another one now."""
        if self.compiled is None or (budget is None) != (self.budget is None):
            return False
        if budget is None or budget == self.budget:
            return True
        assert self.budget is not None
        if self.plan is None or self.plan.peak * self.factor > budget:
            return False
        return not self.plan.blocks or budget <= self.budget * 1.1


@dataclass
class Plans:
    """The plans of one gradient."""

    known: dict[Any, Known] = field(default_factory=dict)

    def chosen(
        self, plain: Compiled, key: Any, arguments: tuple[Any, ...], budget: int | None, make: Compile
    ) -> Known:
        """The plan for a call. Raises MemoryBudget if there can be none."""
        key = id(plain), key, tuple(_shapes(arguments))
        found = self.known.get(key)
        if found is None:
            model = None
            if plain.body is not None:
                with contextlib.suppress(Exception):  # the call itself will raise it, with the user's line
                    model = measured(plain.body, arguments)
            if len(self.known) >= _MOST:
                self.known.pop(next(iter(self.known)))
            found = self.known[key] = Known(plain, model)
        if not found.serves(budget):
            self._choose(found, plain, budget, make)
        return found

    def _choose(self, known: Known, plain: Compiled, budget: int | None, make: Compile) -> None:
        if budget != known.budget:
            known.following = []
        known.plan, known.budget, known.divided = None, budget, False
        model = known.model
        if model is not None:
            aim = None if budget is None else int(budget / known.factor)
            known.plan = known.following[0] if known.following else solve(model, aim)
            keeps = aim is not None and known.plan.peak <= aim
            done = [(peak, b) for b, peak in known.tried.items() if budget is not None and peak <= budget]
            if done and not keeps:  # more than the model says
                known.plan, keeps = model.plan(min(done)[1]), True
        if plain.recursive and (model is None or not keeps):
            known.plan, known.divided = None, True
        elif budget is not None and known.plan is not None and not keeps and not known.following:
            if model is not None and not any(model.own) and known.plan.peak > _HOPELESS * budget:
                raise refusal(budget, int(known.plan.peak * _MARGIN))
        blocks = [] if known.plan is None or model is None else list(known.plan.blocks)
        if not blocks and not known.divided:
            known.compiled = plain
            return
        assert model is not None or known.divided
        reasons = [] if model is None else [(a, b, reason(model, (a, b))) for a, b in blocks]
        try:
            known.compiled = make(tuple(reasons), known.divided)
        except UnsupportedSyntax:  # several statements that may be run again, but not together
            known.compiled, known.plan = plain, None

    def again(self, known: Known, peak: int) -> bool:
        """A call took more than its budget: whether there is a plan that may take less."""
        if known.plan is None or known.model is None or known.budget is None:
            return False
        known.tried[known.plan.blocks] = peak
        if known.plan.peak > known.budget / known.factor:  # it was the one that takes the least, by the model
            others = known.following[1:] if known.following else thrifty(known.model)
            known.following = [p for p in others if p.blocks not in known.tried][:_TRIES]
            if known.following:
                known.compiled = None
            return bool(known.following)
        known.factor = max(known.factor * 1.02, peak / max(known.plan.peak, 1))
        known.compiled = None
        return True


def reason(model: Model, block: Block) -> str:
    """Why a block is run again, for the reader of the emitted code."""
    return f"run again in the reverse sweep: {spelled(model.spared(block))} less to keep"


def refusal(budget: int, least: int) -> MemoryBudget:
    return MemoryBudget(
        f"the gradient cannot do with {spelled(budget)}",
        reason=f"it takes {spelled(least, up=True)}, with all run again that makes it take less",
        remedy=f"give it {spelled(least, up=True)} or more",
    )


@dataclass
class Stretch:
    """Measures the most that the runtime's arrays take while something runs."""

    peak: int = 0
    _around: int = 0
    _base: int = 0

    def __enter__(self) -> Stretch:
        wait_all()
        self._base = int(memory_stats()["live"])
        self._around = begin_stretch()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            wait_all()
        finally:
            self.peak = int(end_stretch(self._around)) - self._base


def _shapes(value: Any) -> Iterator[Any]:
    """What the sizes of values follow from: shapes, and numbers that may be counts."""
    if isinstance(value, ARRAYS):
        yield value.shape
    elif isinstance(value, (list, tuple)):
        yield len(value)
        for item in value:
            yield from _shapes(item)
    elif isinstance(value, dict):
        for k, item in value.items():
            yield k
            yield from _shapes(item)
    elif isinstance(value, (int, str)):
        yield value
