"""Blocks that are checkpoints: kept as their state only, and run again when the reverse sweep comes to them.

    plan = rt.block()                               (h,) = plan.again()
    plan.head((h,))                                 a = h * w
    a = h * w                                       h = np.tanh(a)
    h = np.tanh(a)                                  ...    # and back

A block is a loop of one iteration to `snapshots.py`, but nothing is to be decided or measured for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from myia.runtime.snapshots import Budget, Checkpoints

__all__ = ["block", "once"]


def once() -> range:
    """What a block runs over where it stands as a loop."""
    return range(1)


def block(rewinds: bool = False) -> Block:
    """The state of a block that begins; `rewinds`: see `snapshots.checkpoints`."""
    return Block(_NO_BUDGET, ("", 0), 1, 0, 0, 1, rewinds)


_NO_BUDGET = Budget(None)


@dataclass(eq=False)
class Block(Checkpoints):
    """The state of one block; see the module."""

    def head(self, values: tuple[Any, ...], arrays: tuple[Any, ...] = ()) -> None:
        """The block begins, for the first time."""
        self._keep(0, values, arrays)
