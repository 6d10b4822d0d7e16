"""What a gradient of straight-line code holds at each position of both sweeps, by what is run again.

The function is a chain of `count` units, its statements. A plan is a set of disjoint blocks
`(start, stop)` of units. A block is run first without keeping what only its own reversal needs, and again
before it is reversed.

    forward    0 1 2 3 4 5 6 7            position u: what units before u made and something later reads
    again            4 5 6 7              position u: what was kept, and what the block has made so far
    reverse                  7 6 5 4 ...  position u: what was kept, what the block has made, adjoints
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, pairwise

Block = tuple[int, int]


@dataclass(frozen=True)
class Item:
    """A value: the unit that makes it, its bytes, the units that read it, and those whose reversal does.

    What a unit keeps for its own reversal and for no other is an item that no unit reads.
    """

    made: int
    size: int
    read: tuple[int, ...] = ()
    needed: tuple[int, ...] = ()


@dataclass(frozen=True)
class Plan:
    """The blocks to run again, the bytes that are held at most, and the seconds that running again takes.

    `kept`: the bytes that the forward sweep leaves to the reverse sweep.
    """

    blocks: tuple[Block, ...]
    peak: int
    seconds: float
    kept: int = 0


@dataclass(frozen=True)
class Model:
    """The units of a function, by number.

    `seconds`: the time of each; `work`: the bytes it takes beside what is there before it, its results
    included; `adjoints`: those of the adjoints that are there when the reverse sweep comes to it; `back`:
    those that its reversal takes beside that; `repeatable`: whether it may be run again.
    """

    items: tuple[Item, ...]
    seconds: tuple[float, ...]
    work: tuple[int, ...]
    adjoints: tuple[int, ...]
    back: tuple[int, ...]
    repeatable: tuple[bool, ...]

    @property
    def count(self) -> int:
        return len(self.seconds)

    @cached_property
    def own(self) -> tuple[int, ...]:
        """The bytes that each unit keeps for its own reversal only."""
        found = [0] * self.count
        for item in self.items:
            if not item.read and item.needed == (item.made,):
                found[item.made] += item.size
        return tuple(found)

    @cached_property
    def runs(self) -> tuple[Block, ...]:
        """The longest stretches of units that may be run again."""
        edges = [k for k in range(1, self.count) if self.repeatable[k] != self.repeatable[k - 1]]
        bounds = [0, *edges, self.count]
        return tuple((a, b) for a, b in pairwise(bounds) if a < b and self.repeatable[a])

    def plan(self, blocks: Iterable[Block]) -> Plan:
        """The plan with these blocks."""
        chosen = tuple(sorted(blocks))
        seconds = sum(sum(self.seconds[a:b]) for a, b in chosen)
        peak, kept = _Simulation(self, chosen).peak_and_kept()
        return Plan(chosen, peak, seconds, kept)

    def spared(self, block: Block) -> int:
        """The bytes that need not be kept for a block that is run again."""
        a, b = block
        inside = (item for item in self.items if a <= item.made < b and item.needed)
        return sum(item.size for item in inside if all(r < b for r in item.needed))

    def peak(self, blocks: tuple[Block, ...]) -> int:
        """The most bytes that are held at once."""
        return _Simulation(self, blocks).peak_and_kept()[0]


@dataclass
class _Simulation:
    model: Model
    blocks: tuple[Block, ...]
    of: list[Block | None] = field(init=False)
    """The block of each unit."""

    def __post_init__(self) -> None:
        self.of = [None] * self.model.count
        for block in self.blocks:
            self.of[block[0] : block[1]] = [block] * (block[1] - block[0])

    def peak_and_kept(self) -> tuple[int, int]:
        model, count = self.model, self.model.count
        forward, kept, again, back = (_Spans(count) for _ in range(4))
        for item in model.items:
            own = self.of[item.made]
            inside = [r for r in item.needed if own is not None and r < own[1]]
            outside = [r for r in item.needed if own is None or r >= own[1]]
            # To run a block again, what it reads from before must still be there.
            outside += [q for q in item.read if (b := self.of[q]) is not None and b[0] > item.made]
            last = max(item.read, default=item.made)
            if outside:
                kept.add(min(outside), count - 1, item.size)
                last = count - 1
            forward.add(item.made + 1, last, item.size)
            if own is not None:
                if inside:
                    back.add(min(inside), own[1] - 1, item.size)
                read = max((q for q in item.read if q < own[1]), default=item.made)
                again.add(item.made + 1, own[1] - 1 if inside else read, item.size)
        held, first, repeated, internal = kept.sums(), forward.sums(), again.sums(), back.sums()
        highest = 0
        for u in range(count):
            own = self.of[u]
            saved = model.own[u] if own is None else 0
            highest = max(
                highest,
                first[u] + model.work[u] + saved,
                held[u] + internal[u] + model.adjoints[u] + model.back[u],
            )
            if own is not None:
                base = held[own[1] - 1] + model.adjoints[own[1] - 1]
                highest = max(highest, base + repeated[u] + model.work[u] + model.own[u])
        return highest, held[-1] if count else 0


class _Spans:
    """Bytes by position, of what is there over spans of positions."""

    def __init__(self, count: int) -> None:
        self.steps = [0] * (count + 1)

    def add(self, first: int, last: int, size: int) -> None:
        if first <= last:
            self.steps[first] += size
            self.steps[last + 1] -= size

    def sums(self) -> list[int]:
        return list(accumulate(self.steps))


def coarser(model: Model, most: int) -> tuple[Model, tuple[int, ...]]:
    """The model with at most `most` units, and where each of those begins; the last number is the count.

    Neighbours are joined so that each has about the same bytes to keep. It never holds less than the finer.
    """
    if model.count <= most:
        return model, tuple(range(model.count + 1))
    weight = [1] * model.count
    for item in model.items:
        weight[item.made] += item.size
    edges = {e for run in model.runs for e in run}
    share = sum(weight) / max(most - len(edges), 1)
    starts, filled = [0], 0.0
    for u in range(1, model.count):
        filled += weight[u - 1]
        if u in edges or filled >= share:
            starts.append(u)
            filled = 0.0
    starts.append(model.count)
    group = [g for g, (a, b) in enumerate(pairwise(starts)) for _ in range(a, b)]
    items, inner = [], [0] * model.count
    for item in model.items:
        g = group[item.made]
        read = tuple(sorted({group[q] for q in item.read} - {g}))
        needed = tuple(sorted({group[r] for r in item.needed}))
        if read or needed:
            items.append(Item(g, item.size, read, needed))
        for u in range(item.made + 1, starts[g + 1]):
            if needed or any(q >= u for q in item.read):
                inner[u] += item.size
    spans = list(pairwise(starts))
    return (
        Model(
            tuple(items),
            tuple(sum(model.seconds[a:b]) for a, b in spans),
            tuple(max(model.work[u] + inner[u] for u in range(a, b)) for a, b in spans),
            tuple(max(model.adjoints[a:b]) for a, b in spans),
            tuple(max(model.back[a:b]) for a, b in spans),
            tuple(model.repeatable[a] for a, _ in spans),
        ),
        tuple(starts),
    )
