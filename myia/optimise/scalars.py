"""The cotangent of a sum is one number: it need not be spread over an array to be multiplied with another.

    d_product = rt.spread(d_total, product, None, False)   ->   d_product = d_total
    d_h = rt.times(d_product, h)                                d_h = rt.times(d_product, h)

Done where every operation that reads it has another operand of the same shape and dtype, so that the result
is the same array; and outside loops, where a variable has one shape.
"""

from __future__ import annotations

import ast
from dataclasses import replace

from myia.adjoint.code import runtime_call
from myia.optimise.code import ELEMENTWISE, Block, Code, operation
from myia.optimise.shapes import ShapeClasses
from myia.parse.program import names_read, names_written, statements_of
from myia.parse.types import REAL, Type


def keep_scalars(code: Code) -> Code:
    shapes = ShapeClasses(code)
    types: dict[str, Type] = dict(code.types)
    changed: list[ast.stmt] = []

    def rewritten(block: Block) -> Block:
        done: Block = []
        for s in block:
            number = _kept(s, code, shapes)
            if number is not None:
                types[names_written(s)[0]] = REAL
                changed.append(s)
                s = ast.copy_location(ast.Assign(s.targets, number), s)  # type: ignore[attr-defined]
            done.append(s)
        return done

    made = code.rewritten(rewritten)
    return replace(made, types=types) if changed else code


def _kept(s: ast.stmt, code: Code, shapes: ShapeClasses) -> ast.expr | None:
    """The number that `s` spreads over an array, if that is only read beside others of its shape."""
    match s:
        case ast.Assign(
            [ast.Name(d)],
            ast.Call(_, [number, ast.Name(y), ast.Constant(None), ast.Constant(False)]) as call,
        ):
            made = {"spread": number, "spread_mean": runtime_call("share", number, ast.Name(y, ast.Load()))}
            value = made.get(operation(call) or "")
        case _:
            return None
    if value is None or d not in shapes.fixed or not shapes.is_double(y):
        return None
    if not (operation(number) == "ones_like" or shapes.is_number(number)):
        return None

    def has_shape_without(reader: ast.stmt) -> bool:
        match reader:
            case ast.Assign([ast.Name()], ast.Call(_, args, []) as read) | ast.AugAssign(
                ast.Name(), _, ast.Call(_, args, []) as read
            ) if operation(read) in ELEMENTWISE:
                names = [a.id for a in args if isinstance(a, ast.Name) and a.id != d]
                return any(shapes.is_double(n) and shapes.same(n, y) for n in names)
        return False

    readers = [r for r in statements_of(code.body) if r is not s and d in names_read(r)]
    return value if all(map(has_shape_without, readers)) else None
