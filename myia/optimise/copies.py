"""Second names for one value, and values that nothing reads, are left out. The user's own names stay.

d_total = d_difference             d_item = rt.negative(d_difference)
d_item = rt.negative(d_total)  ->
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from myia.analysis.dataflow import ForwardFlow
from myia.analysis.liveness import all_read
from myia.analysis.webs import rename
from myia.optimise.code import Block, Code
from myia.optimise.dead import drop_dead
from myia.parse.program import names_written

Copies = Mapping[str, str]
"""Of each copy, the variable that holds the same value."""


def drop_copies(code: Code) -> Code:
    return drop_dead(_read_originals(code), names=False)


def _read_originals(code: Code) -> Code:
    pinned = code.pinned

    def transfer(s: ast.stmt, copies: Copies) -> Copies:
        written = set(names_written(s))
        if isinstance(s, ast.AugAssign) and isinstance(s.target, ast.Name):
            written.add(s.target.id)
        kept = copies
        if any(n in copies for n in written) or any(o in written for o in copies.values()):
            kept = {c: o for c, o in copies.items() if c not in written and o not in written}
        match s:
            case ast.Assign([ast.Name(copy)], ast.Name(original)) if (
                copy != original and copy not in code.users and not {copy, original} & pinned
            ):
                return {**kept, copy: kept.get(original, original)}
        return kept

    def join(a: Copies, b: Copies) -> Copies:
        return {c: o for c, o in a.items() if b.get(c) == o}

    flow = ForwardFlow(transfer, join)
    flow.block(code.body, {})

    def read(block: Block) -> Block:
        return [_reading(s, flow.before.get(s, {})) for s in block]

    return code.rewritten(read)


def _reading(s: ast.stmt, copies: Copies) -> ast.stmt:
    """A simple statement with originals read in place of copies."""
    if not copies or copies.keys().isdisjoint(all_read(s)):
        return s
    made: ast.stmt
    match s:
        case ast.Assign(targets, value):
            made = ast.Assign([_target(t, copies) for t in targets], rename(value, copies))
        case ast.AugAssign(target, op, value):
            made = ast.AugAssign(_target(target, copies), op, rename(value, copies))
        case ast.Expr(value):
            made = ast.Expr(rename(value, copies))
        case ast.Return(ast.expr() as value):
            made = ast.Return(rename(value, copies))
        case _:
            return s
    return ast.copy_location(made, s)


def _target(target: Any, copies: Copies) -> Any:
    """A place to store: what it is part of is read, names are written."""
    match target:
        case ast.Name():
            return target
        case ast.Tuple(parts) | ast.List(parts):
            made = type(target)([_target(part, copies) for part in parts], ast.Store())
            return ast.copy_location(made, target)
        case ast.Starred(part):
            return ast.copy_location(ast.Starred(_target(part, copies), ast.Store()), target)
    return rename(target, copies)
