"""An operation of the same operands is done once, across both sweeps.

    d_f = rt.times(g, f)           d_f = rt.times(g, f)
    part = rt.times(g, f)    ->    d_f = rt.add(d_f, d_f)
    d_f = rt.add(d_f, part)

Arrays that anything writes into are left alone: the same operation of them may give something else later.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping
from typing import NamedTuple

from myia.analysis.dataflow import ForwardFlow
from myia.optimise.code import ELEMENTWISE, Block, Code, operation
from myia.optimise.single import is_atom
from myia.parse.program import names_written
from myia.parse.types import Array


class Available(NamedTuple):
    """`done`: operations, as text: the variable with the result, and all variables that this depends on.

    `mentioned`: all of these variables.
    """

    done: Mapping[str, tuple[str, frozenset[str]]]
    mentioned: frozenset[str]

    @staticmethod
    def of(done: Mapping[str, tuple[str, frozenset[str]]]) -> Available:
        return Available(done, frozenset(n for r, on in done.values() for n in (r, *on)))


_REPEATED = ELEMENTWISE | {"array_transpose"}


def share_common(code: Code) -> Code:
    unsteady = code.written | _added_to(code) | code.pinned

    @functools.cache
    def done_by(s: ast.stmt) -> tuple[str, str, frozenset[str]] | None:
        match s:
            case ast.Assign([ast.Name(name)], ast.Call(_, args, []) as call) if operation(
                call
            ) in _REPEATED and all(map(is_atom, args)):
                names = frozenset(a.id for a in args if isinstance(a, ast.Name))
                if isinstance(code.types.get(name), Array) and not {name, *names} & unsteady:
                    return name, ast.unparse(call), names
        return None

    def transfer(s: ast.stmt, available: Available) -> Available:
        done, mentioned = available
        if written := mentioned.intersection(names_written(s)):
            kept = {t: (r, on) for t, (r, on) in done.items() if r not in written and not on & written}
            done, mentioned = available = Available.of(kept)
        made = done_by(s)
        if made is not None and made[0] not in made[2] and made[1] not in done:
            name, text, names = made
            return Available({**done, text: (name, names)}, mentioned | {name, *names})
        return available

    def join(a: Available, b: Available) -> Available:
        return Available.of({text: found for text, found in a.done.items() if b.done.get(text) == found})

    flow = ForwardFlow(transfer, join)
    flow.block(code.body, Available.of({}))

    changed: list[ast.stmt] = []

    def shared(block: Block) -> Block:
        return [again(s) for s in block]

    def again(s: ast.stmt) -> ast.stmt:
        made = done_by(s)
        before = flow.before.get(s)
        found = None if made is None or before is None else before.done.get(made[1])
        if made is None or found is None or found[0] == made[0] or made[0] in code.again:
            return s
        target = ast.Name(made[0], ast.Store())
        changed.append(s)
        return ast.copy_location(ast.Assign([target], ast.Name(found[0], ast.Load())), s)

    rewritten = code.rewritten(shared)
    return rewritten if changed else code


def _added_to(code: Code) -> frozenset[str]:
    """The variables that `+=` adds to in place."""
    nodes = (n for s in code.body for n in ast.walk(s) if isinstance(n, ast.AugAssign))
    return frozenset(n.id for node in nodes for n in ast.walk(node.target) if isinstance(n, ast.Name))
