"""The one fixed-point solver: data-flow over structured code, forwards and backwards.

The normal form, and what is emitted, is structured (`break` only at the end of a block), so a pass over
the tree that repeats a loop's body until its head no longer changes visits every path; no graph is built.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from myia.parse.program import is_once

State = TypeVar("State")


@dataclass
class ForwardFlow(Generic[State]):
    """A forward analysis.

    `transfer(statement, state)` gives the state after a simple statement; for a loop it is called
    with the loop itself at the start of each iteration (its target is bound), for an `if` with the
    `if` itself before its branches (its test is read). States are values: never changed in place.
    `before` and `after` hold the state around each statement once solved, keyed by the statement.
    """

    transfer: Callable[[ast.stmt, State], State]
    join: Callable[[State, State], State]
    before: dict[ast.stmt, State] = field(default_factory=dict)
    after: dict[ast.stmt, State] = field(default_factory=dict)
    _breaks: list[list[State]] = field(default_factory=list)

    def block(self, statements: list[ast.stmt], state: State | None) -> State | None:
        """The state at the end of a block; None if its end is not reached."""
        for statement in statements:
            if state is None:
                return None
            self.before[statement] = state
            state = self._statement(statement, state)
            if state is not None:
                self.after[statement] = state
        return state

    def _statement(self, statement: ast.stmt, state: State) -> State | None:
        match statement:
            case ast.If(_, body, orelse):
                state = self.transfer(statement, state)
                return self._join(self.block(body, state), self.block(orelse, state))
            case ast.For(_, _, body) if is_once(statement):
                return self.block(body, self.transfer(statement, state))
            case ast.For(_, _, body):
                head, breaks = self._loop(statement, body, state)
                return self._join(head, breaks)
            case ast.While(_, body):
                return self._loop(statement, body, state)[1]
            case ast.Break():
                self._breaks[-1].append(state)
                return None
            case ast.Raise():
                self.transfer(statement, state)
                return None
            case _:
                return self.transfer(statement, state)

    def _loop(self, loop: ast.stmt, body: list[ast.stmt], state: State) -> tuple[State, State | None]:
        """The states at the head and over all breaks."""
        head = state
        while True:
            self._breaks.append([])
            self.before[loop] = head
            end = self.block(body, self.transfer(loop, head))
            breaks = self._breaks.pop()
            joined = head if end is None else self.join(head, end)
            if joined == head:
                left: State | None = None
                for broken in breaks:
                    left = self._join(left, broken)
                return head, left
            head = joined

    def _join(self, a: State | None, b: State | None) -> State | None:
        if a is None or b is None:
            return b if a is None else a
        return self.join(a, b)


@dataclass
class BackwardFlow(Generic[State]):
    """A backward analysis.

    `transfer(statement, state)` gives the state before a simple statement from that after it; for a loop it
    is called with the loop itself at the start of each iteration, for an `if` with the `if` itself before
    its branches. `after` holds the state after each statement once solved; of a loop, that after it.
    """

    transfer: Callable[[ast.stmt, State], State]
    join: Callable[[State, State], State]
    after: dict[ast.stmt, State] = field(default_factory=dict)
    _left: list[State] = field(default_factory=list)

    def block(self, statements: list[ast.stmt], state: State) -> State:
        """The state at the start of a block, from that at its end."""
        for statement in reversed(statements):
            self.after[statement] = state
            state = self._statement(statement, state)
        return state

    def _statement(self, statement: ast.stmt, state: State) -> State:
        match statement:
            case ast.If(_, body, orelse):
                return self.transfer(statement, self.join(self.block(body, state), self.block(orelse, state)))
            case ast.For(_, _, body) if is_once(statement):
                return self.transfer(statement, self.block(body, state))
            case ast.For(_, _, body) | ast.While(_, body):
                self._left.append(state)
                head = state
                while (joined := self.join(head, self.transfer(statement, self.block(body, head)))) != head:
                    head = joined
                self._left.pop()
                return head
            case ast.Break():
                return self._left[-1]
            case _:
                return self.transfer(statement, state)
