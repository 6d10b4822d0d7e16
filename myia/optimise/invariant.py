"""What a loop computes anew from what it does not change is computed once, before it; in both sweeps.

    for k in range(n):                         slope = rt.multiply(2.0, w)
        slope = rt.multiply(2.0, w)     ->     for k in range(n):
        x = rt.multiply(slope, x)                  x = rt.multiply(slope, x)

Only operations that cannot fail: the loop may not run at all.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable
from functools import partial

from myia.optimise.code import Block, Code, operation, with_blocks
from myia.optimise.single import is_atom
from myia.parse.program import names_read, names_written, statements_of
from myia.parse.types import ANY, Array, is_number

_HARMLESS = frozenset(
    {"add", "subtract", "multiply", "negative", "square", "absolute", "times", "array_transpose"}
)
"""Operations of one array, and of numbers, that give a value for any."""


def move_invariant(code: Code) -> Code:
    """The innermost loops first, so that what moves out of one may move out of the next."""
    stores = Counter(n for s in statements_of(code.body) for n in names_written(s))
    unsteady = code.written | code.pinned

    def is_movable(changed: set[str], s: ast.stmt) -> bool:
        match s:
            case ast.Assign([ast.Name(name)], value) if stores[name] == 1:
                read = names_read(value)
                return not {name, *read} & unsteady and not read & changed and _is_harmless(value, code)
        return False

    def moved(block: Block) -> Block:
        done: Block = []
        for s in block:
            out: Block = []
            if isinstance(s, (ast.For, ast.While)):
                changed = {n for i in statements_of([s]) for n in (*names_written(i), *_added_to(i))}
                s = _without(s, partial(is_movable, changed), out)
            done += [*out, s]
        return done

    return code.rewritten(moved)


def _without(s: ast.stmt, is_movable: Callable[[ast.stmt], bool], out: Block) -> ast.stmt:
    """A loop without what each of its iterations runs and may be moved, which is added to `out`."""

    def taken(block: Block) -> Block:
        kept: Block = []
        for i in block:
            if is_movable(i):
                out.append(i)
            elif i is block[-1] and isinstance(i, ast.If) and _only_leaves(i.orelse):
                kept.append(ast.copy_location(ast.If(i.test, taken(i.body), i.orelse), i))
            else:
                kept.append(i)
        return kept or [ast.Pass()]

    return with_blocks(s, taken)


def _only_leaves(block: Block) -> bool:
    return len(block) == 1 and isinstance(block[0], ast.Break)


def _added_to(s: ast.stmt) -> set[str]:
    """What `+=` adds to in place, and arrays that are stored into."""
    match s:
        case ast.AugAssign(target) | ast.Assign([ast.Subscript() as target]):
            return {n.id for n in ast.walk(target) if isinstance(n, ast.Name)}
        case ast.Expr(ast.Call(ast.Attribute(ast.Name("rt"), _), [ast.Name(first), *_])):
            return {first}
    return set()


def _is_harmless(value: ast.expr, code: Code) -> bool:
    types = [code.types.get(n, ANY) for n in names_read(value) - {"rt"}]
    arrays = [t for t in types if isinstance(t, Array)]
    if not types or not all(isinstance(t, Array) or is_number(t) for t in types):
        return False
    match value:
        case ast.Call(_, args, []) if operation(value) in _HARMLESS:
            return all(map(is_atom, args)) and len(arrays) == 1
        case ast.BinOp(left, ast.Add() | ast.Sub() | ast.Mult(), right):
            return is_atom(left) and is_atom(right) and not arrays
    return False
