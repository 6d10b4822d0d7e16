"""Which loops can be reversed from snapshots of their state, and what that state is.

A snapshot holds the variables that an iteration reads and the loop binds, and copies of the arrays that it
reads and the loop writes into. Running the loop again from there must do what it did the first time: effects
are not repeated, and values that would be others (random numbers, the time, input) are noted and replayed.
What cannot be brought back so is named by `obstacle`, and its loop is reversed from what its statements save.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from myia.adjoint.mirror import Loop, Step, free_names, loops_of, steps_of
from myia.adjoint.reverse import Reversal
from myia.analysis.alias import OUTSIDE, VIEWS, is_basic
from myia.analysis.record import content
from myia.parse.program import is_once, names_read, names_written, statements_of
from myia.parse.typed import Operation, Typed
from myia.parse.types import ANY, Array, is_number

_REPEATED = frozenset({"alias", "rule", "tuple", "list", "dict", "store", "update"})


@dataclass(frozen=True)
class LoopState:
    """The variables of a snapshot, and those that hold arrays that are written into."""

    variables: tuple[str, ...]
    arrays: tuple[str, ...]


def is_checkpoint(loop: Loop) -> bool:
    """Whether a loop is a block that is a checkpoint, by the user or by a plan."""
    return is_once(loop.statement)


def obstacle(loop: Loop, reversal: Reversal) -> str | None:
    """Why a loop cannot be run again from a snapshot; None if it can."""
    aliases, typed = reversal.aliases, reversal.typed
    for step in steps_of([loop]):
        s = step.origin
        if s in reversal.mutations or s in reversal.constructions:
            return "it writes into lists, dictionaries or objects"
        if s in reversal.dynamic_calls:
            return "it calls what only the run knows"
        operation = typed.operations.get(s) if isinstance(s, ast.stmt) else None
        if operation is not None and operation.kind == "user":
            if operation.callee is None:
                return "it calls what only the run knows"
            if (why := effect_in(operation.callee, set())) is not None:
                return why
        if operation is not None and operation.kind == "object":
            return "it makes objects"
    body = loop.skeleton.body if loop.skeleton is not None else []
    bound = written_in(loop)
    carried = free_names(body) & bound
    for memory in written_classes(loop, reversal):
        members = aliases.members(memory)
        if OUTSIDE in members or not all(_is_plain(typed, n) for n in members):
            return "it writes into arrays that lists, dictionaries or objects hold"
        if carried & members and any(_makes(step, members, typed) for step in steps_of([loop])):
            return "it carries an array that it writes into from one iteration, which makes it, to the next"
    if _remakes(loop, reversal, carried):
        return "it makes an array that is used outside and written in place there, or beside one that is"
    return None


def _remakes(loop: Loop, reversal: Reversal, carried: set[str]) -> bool:
    """Whether it makes arrays with shadows, and what is used outside may be one of them.

    Run again, it makes other arrays, and their shadows are not those that the reverse sweep has added to.
    """
    aliases, typed = reversal.aliases, reversal.typed
    inside = set(statements_of([loop.statement]))
    used = {typed.program.result} if is_checkpoint(loop) else {typed.program.result, *carried}
    for s in statements_of(typed.program.body):
        if s not in inside:
            used |= names_read(s)
    used = {n for n in used & written_in(loop) if not is_number(typed.types.get(n, ANY))}
    steps = list(steps_of([loop]))
    for memory in aliases.shadowed:
        members = aliases.members(memory)
        if used & members and any(_makes(step, members, typed) for step in steps):
            return True
    return False


def written_in(loop: Loop) -> frozenset[str]:
    """The variables that a loop binds, its own and those of loops inside it among them."""
    found = {n for step in steps_of([loop]) for n in names_written(step.statement)}
    for inner in loops_of([loop]):
        found.update(names_written(inner.statement))
    return frozenset(found)


def written_classes(loop: Loop, reversal: Reversal) -> frozenset[str]:
    """The classes of aliases that a loop writes into."""
    none: frozenset[str] = frozenset()
    found = none.union(*(reversal.aliases.writers.get(step.origin, none) for step in steps_of([loop])))
    return found & reversal.aliases.shadowed


def written_contents(loop: Loop, reversal: Reversal) -> frozenset[str]:
    return frozenset(map(content, written_classes(loop, reversal)))


def state_of(loop: Loop, reversal: Reversal, read: set[str]) -> LoopState:
    """The state, of what reversing an iteration reads."""
    classes = written_classes(loop, reversal)
    arrays = {n for n in read if reversal.aliases.class_of(n) in classes}
    own = set(names_written(loop.statement))  # which follows from the number of the iteration
    return LoopState(tuple(sorted(read & written_in(loop) - own)), tuple(sorted(arrays)))


def is_fixed(loop: Loop, reversal: Reversal, state: LoopState) -> bool:
    """Whether arrays of the state must stay the objects they are.

    By their memory their adjoints are found, or the loop asks which one a variable holds.
    """
    shadowed = (reversal.aliases.class_of(n) in reversal.aliases.shadowed for n in state.variables)
    found = any(s for s, n in zip(shadowed, state.variables, strict=True) if n not in state.arrays)
    tests = (inner for step in steps_of([loop]) for inner in ast.walk(step.statement))
    return found or any(isinstance(t, ast.Is | ast.IsNot) for t in tests)


def is_effect(step: Step) -> bool:
    """Whether a step is there for its effect, which must not be repeated."""
    return isinstance(step.statement, (ast.Expr, ast.Assert))


def differs_each_time(step: Step, typed: Typed) -> bool:
    """Whether a step would bind another value if it ran again, for all that is known."""
    operation = typed.operations.get(step.origin) if isinstance(step.origin, ast.stmt) else None
    unknown = operation is not None and operation.kind in ("opaque", "dynamic")
    return unknown and isinstance(_value_of(step), ast.Call)


def _value_of(step: Step) -> ast.expr | None:
    return step.statement.value if isinstance(step.statement, ast.Assign) else None


def effect_in(typed: Typed, seen: set[Typed]) -> str | None:
    """Why a called function cannot be run again."""
    if typed in seen:
        return None
    seen.add(typed)
    for s in statements_of(typed.program.body):
        operation = typed.operations.get(s)
        if isinstance(s, ast.Expr) or operation is None:
            if isinstance(s, ast.Expr):
                return f"it calls {typed.program.name}, which has effects"
            continue
        if operation.kind == "user" and operation.callee is not None:
            if (why := effect_in(operation.callee, seen)) is not None:
                return why
        elif not is_repeated(operation, s):
            return f"it calls {typed.program.name}, which may do something else each time"
    return None


def is_repeated(operation: Operation, s: ast.stmt) -> bool:
    value = s.value if isinstance(s, ast.Assign) else None
    if operation.kind == "inactive":  # a comparison names no function
        return operation.function is not None or not isinstance(value, ast.Call)
    return operation.kind in _REPEATED or (operation.kind == "opaque" and not isinstance(value, ast.Call))


def _is_plain(typed: Typed, name: str) -> bool:
    t = typed.types.get(name, ANY)
    return is_number(t) or (isinstance(t, Array) and t.rank is not None)


def _makes(step: Step, members: frozenset[str], typed: Typed) -> bool:
    """Whether a step binds one of the variables to memory that may be new."""
    if members.isdisjoint(names_written(step.statement)):
        return False
    operation = typed.operations.get(step.origin) if isinstance(step.origin, ast.stmt) else None
    if operation is None:
        return not isinstance(_value_of(step), ast.Name)
    if operation.kind in ("alias", "update", "store"):
        return False
    value = _value_of(step)
    if isinstance(value, ast.Subscript):
        return not is_basic(typed, value.slice)
    return operation.function not in VIEWS
