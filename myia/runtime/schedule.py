"""Which states of a loop to keep, so that it can be reversed with few of them and few steps done again.

A chain of `steps` is reversed from its end: to reverse a step, the state before it is needed, which is kept
in a snapshot or advanced to from one further back. The binomial schedule does the fewest steps that a number
of snapshots allows (Griewank & Walther 2000, Algorithm 799; Grimm, Pottier & Rostaing-Schmidt 1996):

    steps that can be reversed with s snapshots, none of them advanced over more than r times: C(s + r, s)

Where the number of steps is not known beforehand, snapshots are thinned out while the loop runs (Wang, Moin &
Iaccarino 2009, "Minimal repetition dynamic checkpointing algorithm for unsteady adjoint calculation").

>>> least_advances(10, 3)
15
>>> split(10, 3)
4
"""

from __future__ import annotations

from math import comb, inf


def repetitions(steps: int, snapshots: int) -> int:
    """The least r for which `snapshots`, that at the start included, reverse `steps` steps."""
    r = 0
    while comb(snapshots + r, snapshots) < steps:
        r += 1
    return r


def least_advances(steps: int, snapshots: int) -> int:
    """The fewest steps done forwards, apart from those that are reversed at once, to reverse a chain.

    `snapshots` counts the one at the start of the chain, which is there.
    """
    if steps <= 1:
        return 0
    r = repetitions(steps, snapshots)
    return r * steps - comb(snapshots + r, r - 1)


def split(steps: int, snapshots: int) -> int:
    """Where the next snapshot of a chain goes, counted from its start; at least two are given."""
    r = repetitions(steps, snapshots)
    most = min(comb(snapshots + r - 1, snapshots), steps - comb(snapshots + r - 2, snapshots - 1))
    least = steps - comb(snapshots + r - 1, snapshots - 1)
    return max(1, most, least)


def positions(start: int, end: int, snapshots: int) -> list[int]:
    """The steps before which a sweep from `start` to `end` keeps the state, `start` among them.

    The sweep is a chain with one step more, what comes after the loop: that is reversed at once.
    """
    found = [start]
    at, left = start, end + 1 - start
    while snapshots > 1 and left > 2:
        ahead = split(left, snapshots)
        at, left, snapshots = at + ahead, left - ahead, snapshots - 1
        if at >= end:
            break
        found.append(at)
    return found


class Thinning:
    """Which states to keep of a loop whose number of steps is not known: at most `most`, the first always.

    Each kept state has a level. One is dispensable if a later one has a higher level. When all places are
    taken, a new state replaces the last dispensable one, or else the last of all, one level above it. A step
    takes constant time, on average: new ones become dispensable only when there are none left, and the levels
    of the others never rise from one to the next.

    >>> thinning = Thinning(3)
    >>> [thinning.dropped(step) for step in range(1, 8)]
    [None, None, 2, 1, 4, 5, 3]
    >>> thinning.kept
    [0, 6, 7]
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._firm: list[tuple[int, float]] = [(0, inf)]
        """Those that are not dispensable, with their levels, in order; and those that are."""
        self._dispensable: list[int] = []

    @property
    def kept(self) -> list[int]:
        return sorted([*self._dispensable, *(at for at, _ in self._firm)])

    def dropped(self, step: int) -> int | None:
        """Keep the state before `step`, the next one; gives the step whose state is dropped for it, if any.

        It may be `step` itself, if there is room for the first state only.
        """
        if self.most == 1:
            return step
        if len(self._firm) + len(self._dispensable) < self.most:
            self._firm.append((step, 0))
            return None
        if self._dispensable:
            self._firm.append((step, 0))
            return self._dispensable.pop()
        last, level = self._firm.pop()
        while self._firm[-1][1] <= level:
            self._dispensable.append(self._firm.pop()[0])
        self._dispensable.reverse()
        self._firm.append((step, level + 1))
        return last

    def shrink(self) -> int:
        """From now on one state less is kept; gives the step whose state is dropped for it."""
        self.most -= 1
        return self._dispensable.pop() if self._dispensable else self._firm.pop()[0]
