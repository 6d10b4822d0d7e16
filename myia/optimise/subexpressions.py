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

from myia.analysis.dataflow import ForwardFlow
from myia.optimise.code import ELEMENTWISE, Block, Code, operation
from myia.optimise.single import is_atom
from myia.parse.program import names_written, rebound, statements_of
from myia.parse.types import Array

Available = Mapping[str, tuple[str, frozenset[str]]]
"""Operations done, as text: the variable with the result, and all variables that this depends on."""

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

    operations = [made for s in statements_of(code.body) if (made := done_by(s)) is not None]
    kept = [(name, names) for name, _, names in operations if name not in names]
    changing = rebound(code.body) & {n for name, names in kept for n in (name, *names)}

    def transfer(s: ast.stmt, available: Available) -> Available:
        if written := changing.intersection(names_written(s)):
            available = {
                t: (r, on) for t, (r, on) in available.items() if r not in written and not on & written
            }
        made = done_by(s)
        if made is not None and made[0] not in made[2] and made[1] not in available:
            name, text, names = made
            return {**available, text: (name, names)}
        return available

    def join(a: Available, b: Available) -> Available:
        return {text: found for text, found in a.items() if b.get(text) == found}

    flow = ForwardFlow(transfer, join)
    flow.block(code.body, {})

    changed: list[ast.stmt] = []

    def shared(block: Block) -> Block:
        return [again(s) for s in block]

    def again(s: ast.stmt) -> ast.stmt:
        made = done_by(s)
        found = None if made is None else flow.before.get(s, {}).get(made[1])
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
