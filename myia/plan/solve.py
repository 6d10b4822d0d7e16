"""The blocks that keep a budget at the least time.

An integer programme, after Jain et al. 2020, "Checkmate: Breaking the Memory Wall with Optimal Tensor
Rematerialization". There each value is kept or computed again at each step, which is a matrix of choices;
here what is run again are stretches of statements, so that one choice for each possible stretch will do:

    z[a, b]  in {0, 1}    units a to b - 1 are a block
    k[v, t]  in [0, 1]    value v is kept for what the reversal of units up to t asks of it
    minimise    sum of z[a, b] * seconds(a, b)
    subject to  each unit is in one block at most
                k[v, t] >= 1 - (v and its reader t are in one block)
                k[v, t] >= (reader t is in a block that begins after v)
                bytes held <= budget, at each position of the forward sweep, of the reverse sweep, and of the
                run again of each possible block

Bytes are linear in `z` and `k`, because what a block holds inside while it is run again depends on nothing
but the block. Long functions are made coarser first (`model.coarser`).

Without SciPy, or where its time runs out, a greedy search: stretches of equal bytes, in all numbers from one
on, and of units that are cheap for the bytes they make; of each such plan the dearest blocks are left out as
long as the budget is kept. The one with the most recomputation is always among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from myia.plan.model import Block, Item, Model, Plan, coarser

UNITS = 28
"""The most units of the integer programme: it has a choice for each pair of them."""

_SMALL = 12
"""Units up to which it is solved to the end; beyond, to within one per cent."""

TIME_LIMIT = 5.0
"""Seconds for the solver."""

_GREEDY_UNITS = 256


def solve(model: Model, budget: int | None, exact: bool = True) -> Plan:
    """The plan that keeps the budget at the least time, of those found; else the one that holds the least.

    `budget`: in bytes; None for the least there can be. `exact`: by the integer programme where that is to be
    had. Plans of equal time: the one that holds less.
    """
    plain = model.plan(())
    if budget is not None and plain.peak <= budget:
        return plain
    found = [plain, *(_fine(model, starts, plan) for starts, plan in _searched(model, budget, exact))]
    fitting = [p for p in found if budget is not None and p.peak <= budget]
    return min(fitting, key=lambda p: (p.seconds, p.peak)) if fitting else min(found, key=_thrift)


def thrifty(model: Model) -> list[Plan]:
    """The plans that hold the least, of those that the greedy search looks at, the best first."""
    small, starts = coarser(model, _GREEDY_UNITS)
    found = {_fine(model, starts, small.plan(blocks)) for blocks in _divisions(small)}
    return sorted(found, key=_thrift)


def _thrift(plan: Plan) -> tuple[int, int, float]:
    """Of plans of one peak, what keeps less is more likely to do with less than the model says."""
    return plan.peak, plan.kept, plan.seconds


def _searched(model: Model, budget: int | None, exact: bool) -> Iterator[tuple[tuple[int, ...], Plan]]:
    small, starts = coarser(model, _GREEDY_UNITS)
    for plan in greedy(small, budget):
        yield starts, plan
    if exact:
        small, starts = coarser(model, UNITS)
        known = greedy(small, budget)
        found = programme(small, budget, known)
        if found is None and budget is not None and all(p.peak > budget for p in known):
            found = programme(small, None, known)
        if found is not None:
            yield starts, found


def _fine(model: Model, starts: tuple[int, ...], plan: Plan) -> Plan:
    """A plan of the coarser model as one of the finer, without blocks that spare nothing."""
    blocks = ((starts[a], starts[b]) for a, b in plan.blocks)
    return model.plan(b for b in blocks if model.spared(b))


# -- greedy ------------------------------------------------------------------------------------------------


def greedy(model: Model, budget: int | None) -> list[Plan]:
    """Plans that keep the budget, and the one that holds the least."""
    plans = [model.plan(blocks) for blocks in dict.fromkeys(_divisions(model))]
    if not plans:
        return []
    least = min(plans, key=lambda p: (p.peak, p.seconds))
    if budget is None:
        return [least]
    fitting = sorted((p for p in plans if p.peak <= budget), key=lambda p: (p.seconds, p.peak))
    return [least, *(_thinned(model, p, budget) for p in fitting[:16])]


def _thinned(model: Model, plan: Plan, budget: int) -> Plan:
    """The plan without blocks that the budget does not ask for, the dearest first."""
    for block in sorted(plan.blocks, key=lambda b: (-sum(model.seconds[b[0] : b[1]]), b)):
        fewer = model.plan(b for b in plan.blocks if b != block)
        if fewer.peak <= budget:
            plan = fewer
    return plan


def _divisions(model: Model) -> Iterator[tuple[Block, ...]]:
    """Stretches of equal bytes, in all numbers; of all units, and of those that are cheap for their bytes."""
    weight = [1] * model.count
    for item in model.items:
        if item.needed:
            weight[item.made] += item.size
    dear = [s / w for s, w in zip(model.seconds, weight, strict=True)]
    limits = sorted(set(dear))
    if not limits:
        return
    for limit in dict.fromkeys([limits[-1], *limits[:: max(len(limits) // 4, 1)]]):
        runs = [part for run in model.runs for part in _parts(run, [d <= limit for d in dear])]
        total = sum(sum(weight[a:b]) for a, b in runs)
        pieces, most = 1, sum(b - a for a, b in runs)
        while pieces <= most:
            yield tuple(piece for run in runs for piece in _divided(run, weight, total / pieces))
            pieces = max(pieces + 1, pieces * 9 // 8)


def _parts(run: Block, wanted: list[bool]) -> Iterator[Block]:
    start = None
    for u in range(run[0], run[1] + 1):
        if u < run[1] and wanted[u]:
            start = u if start is None else start
        elif start is not None:
            yield start, u
            start = None


def _divided(run: Block, weight: list[int], share: float) -> Iterator[Block]:
    start, filled = run[0], 0.0
    for u in range(*run):
        if filled and filled + weight[u] > share * 1.000001:
            yield start, u
            start, filled = u, 0.0
        filled += weight[u]
    if start < run[1]:
        yield start, run[1]


# -- the integer programme ------------------------------------------------------------------------------


def programme(
    model: Model, budget: int | None, known: Iterable[Plan] = (), seconds: float = TIME_LIMIT
) -> Plan | None:
    """The best plan by the integer programme; None if there is none, no SciPy, or not enough time.

    Without a budget, the plan that holds the least. `known`: plans that it is to be no worse than.
    """
    try:
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import csr_array
    except ImportError:
        return None
    rows = _Rows(model)
    if not rows.blocks:
        return None
    width = rows.width + 1  # the last variable is the peak, as a part of `scale`
    scale = float(max(model.peak(()), 1))
    cost = [0.0] * width
    times = [sum(model.seconds[a:b]) for a, b in rows.blocks]
    dearest = max(sum(model.seconds), 1e-12)
    cost[: len(times)] = [t / dearest for t in times]
    if budget is None:
        cost = [c * 1e-6 for c in cost]
        cost[-1] = 1.0
    else:
        cost[-1] = 1e-7  # of plans of equal time, the one that holds less
    data: list[float] = []
    columns: list[int] = []
    pointers = [0]
    low: list[float] = []
    high: list[float] = []
    for row in rows.lines():
        for column, value in row.terms.items():
            columns.append(column)
            data.append(value / scale if row.is_memory else value)
        if row.is_memory:
            columns.append(width - 1)
            data.append(-1.0)
        pointers.append(len(columns))
        low.append(row.low)
        high.append(row.high / scale if row.is_memory else row.high)
    bound = min((p.seconds for p in known if budget is not None and p.peak <= budget), default=None)
    if bound is not None:
        columns += range(len(times))
        data += cost[: len(times)]
        pointers.append(len(columns))
        low.append(-float("inf"))
        high.append(bound / dearest * (1 + 1e-9))
    whole = [1] * len(rows.blocks) + [0] * (width - len(rows.blocks))
    top = min((p.peak for p in known), default=scale) / scale if budget is None else budget / scale
    top = min(top, 1.0)
    answer = milp(
        cost,
        integrality=whole,
        bounds=Bounds([0.0] * width, [1.0] * (width - 1) + [top]),
        constraints=LinearConstraint(
            csr_array((data, columns, pointers), shape=(len(low), width)), low, high
        ),
        options={"time_limit": seconds, "mip_rel_gap": 1e-6 if model.count <= _SMALL else 1e-2},
    )
    if answer.x is None:
        return None
    return model.plan(b for b, z in zip(rows.blocks, answer.x, strict=False) if z > 0.5)


@dataclass
class _Row:
    """`low <= sum of terms <= high`; a row of bytes has the peak subtracted."""

    terms: dict[int, float] = field(default_factory=dict)
    low: float = -float("inf")
    high: float = float("inf")
    is_memory: bool = False

    def add(self, column: int, value: float) -> None:
        self.terms[column] = self.terms.get(column, 0.0) + value


class _Rows:
    """The variables and the constraints of the programme."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.blocks = [(a, b) for x, y in model.runs for a in range(x, y) for b in range(a + 1, y + 1)]
        self.containing: list[list[int]] = [[] for _ in range(model.count)]
        for k, (a, b) in enumerate(self.blocks):
            for u in range(a, b):
                self.containing[u].append(k)
        self.kept: dict[tuple[int, int], int] = {}
        self.stages: list[list[int]] = []
        column = len(self.blocks)
        for v, item in enumerate(model.items):
            self.stages.append(sorted({*item.needed, *item.read}))
            for t in self.stages[-1]:
                self.kept[v, t] = column
                column += 1
        self.width = column

    def lines(self) -> Iterator[_Row]:
        for inside in self.containing:
            if inside:
                yield _Row(dict.fromkeys(inside, 1.0), high=1.0)
        for v, item in enumerate(self.model.items):
            yield from self._keeping(v, item)
        yield from self._forward()
        yield from self._reverse()
        yield from self._again()

    def _keeping(self, v: int, item: Item) -> Iterator[_Row]:
        """What makes a value be kept."""
        before: int | None = None
        for t in self.stages[v]:
            own = self.kept[v, t]
            if before is not None:
                yield _Row({own: 1.0, before: -1.0}, low=0.0)
            before = own
            if t in item.needed:
                row = _Row({own: 1.0}, low=1.0)
                for k in self.containing[t]:
                    if self.blocks[k][0] <= item.made:
                        row.add(k, 1.0)
                yield row
            if t in item.read:
                row = _Row({own: 1.0}, low=0.0)
                for k in self.containing[t]:
                    if self.blocks[k][0] > item.made:
                        row.add(k, -1.0)
                if len(row.terms) > 1:
                    yield row

    def _held(self, row: _Row, v: int, u: int) -> None:
        """Add what is held of a value for the reversal of the units up to `u`."""
        reached = [t for t in self.stages[v] if t <= u]
        if reached:
            row.add(self.kept[v, reached[-1]], self.model.items[v].size)

    def _forward(self) -> Iterator[_Row]:
        for u in range(self.model.count):
            row = _Row(is_memory=True)
            constant = self.model.work[u] + self.model.own[u]
            for k in self.containing[u]:
                row.add(k, -self.model.own[u])
            for v, item in enumerate(self.model.items):
                if item.made >= u:
                    continue
                if any(q >= u for q in item.read):
                    constant += item.size
                else:
                    self._held(row, v, self.model.count)
            row.high = -constant
            yield row

    def _reverse(self) -> Iterator[_Row]:
        for u in range(self.model.count):
            row = _Row(high=-(self.model.adjoints[u] + self.model.back[u]), is_memory=True)
            for v, item in enumerate(self.model.items):
                if item.made > u:
                    continue
                self._held(row, v, u)
                if any(r <= u for r in item.needed):
                    for k in self.containing[u]:
                        if self.blocks[k][0] <= item.made:
                            row.add(k, item.size)
            yield row

    def _again(self) -> Iterator[_Row]:
        model = self.model
        for k, (a, b) in enumerate(self.blocks):
            spans = [0] * (b - a)
            for item in model.items:
                if not a <= item.made < b:
                    continue
                read = [q for q in item.read if q < b]
                needed = any(r < b for r in item.needed)
                last = b - 1 if needed else max(read, default=item.made)
                for u in range(item.made + 1, last + 1):
                    spans[u - a] += item.size
            most = max(spans[u - a] + model.work[u] + model.own[u] for u in range(a, b))
            row = _Row({k: float(most + model.adjoints[b - 1])}, high=0.0, is_memory=True)
            for v, item in enumerate(model.items):
                if item.made < a:
                    self._held(row, v, b - 1)
            yield row
