"""Contributions are added to an adjoint in one pass over memory, products of matrices by the product itself.

d_v += rt.times(g, y)              ->   rt.times_into(d_v, g, y)
d_w += rt.array_dot(x.T, g)        ->   rt.matmul_into(d_w, x.T, g)
d_x = rt.zeros_like(x)             ->   d_x = rt.times(g, y)
d_x += rt.times(g, y)
"""

from __future__ import annotations

import ast
from dataclasses import replace

import numpy as np

from myia.adjoint.code import load_name, runtime_call
from myia.optimise.code import ELEMENTWISE, INTO, Block, Code, operation
from myia.parse.program import names_read
from myia.parse.types import Array


def add_in_one_pass(code: Code) -> Code:
    notes = dict(code.notes)

    def joined(block: Block) -> Block:
        done: Block = []
        for s in block:
            made = _into(s, code)
            if made is not None:
                notes[made] = "adds in one pass"
            done.append(made or s)
        return done

    return replace(code.rewritten(joined), notes=notes)


def add_products(code: Code) -> Code:
    """What BLAS adds itself is rounded otherwise than a product that is added."""

    def joined(block: Block) -> Block:
        return [_product_into(s, code) or s for s in block]

    return code.rewritten(joined)


def begin_sums(code: Code) -> Code:
    """The first contribution is the adjoint, if it has memory of its own: zeros need not be made for it."""

    def begun(block: Block) -> Block:
        done = list(block)
        for k, s in enumerate(block):
            match s:
                case ast.Assign([ast.Name(total)] as targets, value) if operation(value) == "zeros_like":
                    at = _first_use(total, block, k + 1, code)
                    if at is not None:
                        first = block[at]
                        assert isinstance(first, ast.AugAssign)
                        done[at] = ast.copy_location(ast.Assign(targets, first.value), first)
                        done[k] = ast.copy_location(ast.Pass(), s)
        return [s for s in done if not isinstance(s, ast.Pass)] or block[:0]

    return code.rewritten(begun)


def _first_use(total: str, block: Block, start: int, code: Code) -> int | None:
    """Where a sum is first used in a block, if that adds an array of its shape, in memory of its own."""
    rank = _rank(load_name(total), code)
    for at in range(start, len(block)):
        s = block[at]
        if total not in {n.id for n in ast.walk(s) if isinstance(n, ast.Name)}:
            continue
        match s:
            case ast.AugAssign(ast.Name(name), ast.Add(), ast.Call(_, operands, []) as made) if (
                name == total and operation(made) in ELEMENTWISE
            ):
                # A contribution has the shape of what it is added to, or is a number.
                arrays = [o for o in operands if _rank(o, code) is not None]
                fits = rank in {_rank(o, code) for o in arrays} and all(_is_double(o, code) for o in arrays)
                known = rank and fits and _is_double(load_name(total), code)
                return at if known and total not in names_read(made) else None
        return None
    return None


def _into(s: ast.stmt, code: Code) -> ast.stmt | None:
    match s:
        case ast.AugAssign(ast.Name(total), ast.Add(), ast.Call(_, operands, []) as made) if operation(
            made
        ) in INTO and code.is_array(total):
            call = runtime_call(INTO[operation(made) or ""], load_name(total), *operands)
            return ast.copy_location(ast.Expr(call), s)
    return None


def _product_into(s: ast.stmt, code: Code) -> ast.stmt | None:
    match s:
        case ast.AugAssign(ast.Name(total), ast.Add(), ast.Call(_, [a, b], []) as made) if operation(
            made
        ) in (
            "array_dot",
            "matmul",
        ):
            if all(_rank(x, code) == 2 for x in (load_name(total), a, b)):
                return ast.copy_location(ast.Expr(runtime_call("matmul_into", load_name(total), a, b)), s)
    return None


def _is_double(node: ast.expr, code: Code) -> bool:
    t = code.types.get(node.id) if isinstance(node, ast.Name) else None
    return isinstance(t, Array) and t.dtype is not None and t.dtype == np.float64


def _rank(node: ast.expr, code: Code) -> int | None:
    """The rank of an array, seen through its transpose."""
    if isinstance(node, ast.Call) and operation(node) == "array_transpose":
        node = node.args[0]
    t = code.types.get(node.id) if isinstance(node, ast.Name) else None
    return t.rank if isinstance(t, Array) else None
