"""What nothing reads any more is not computed.

Adjoints that reach no argument, and primal values that neither the result nor a backprop needs:

    power = rt.square(e)                        d_e = rt.times(2.0, e)
    total = rt.sum(power)                 ->    return d_e
    d_e = rt.times(2.0, e)
    return d_e

Only operations that cannot fail for their shapes: an error of the user's program stays one.
"""

from __future__ import annotations

import ast
import functools

from myia.analysis.liveness import Liveness
from myia.optimise.code import ADJOINTS, ELEMENTWISE, Block, Code, operation
from myia.optimise.shapes import ShapeClasses
from myia.optimise.single import is_atom
from myia.parse.types import ANY, is_number

_WHOLE = frozenset({"sum", "mean", "prod", "array_transpose", "detached", "ones_like", "zeros_like", "form"})
"""What cannot fail for a whole array."""


def drop_dead(code: Code, names: bool = True) -> Code:
    """Without statements whose results nothing reads, repeated until there are none.

    `names`: variables of the user's may go too, not only the compiler's.
    """
    shapes = ShapeClasses(code)
    while True:
        live, dropped = code.live, list[ast.stmt]()
        code = code.rewritten(functools.partial(_without_dead, shapes, live, names, dropped))
        if not dropped:
            return code


def _without_dead(
    shapes: ShapeClasses, live: Liveness, names: bool, dropped: list[ast.stmt], block: Block
) -> Block:
    dead = [s for s in block if _is_dead(s, shapes, live, names)]
    dropped += dead
    return [s for s in block if s not in dead]


def _is_dead(s: ast.stmt, shapes: ShapeClasses, live: Liveness, names: bool) -> bool:
    match s:
        case ast.Assign([ast.Name(name)], value) if name not in live.pinned and name not in live.after[s]:
            own = name not in shapes.code.users
            adjoint = own and name.startswith("d_") and operation(value) in ELEMENTWISE
            return (own or names) and (is_atom(value) or adjoint or _cannot_fail(value, shapes))
    return False


def _cannot_fail(value: ast.expr, shapes: ShapeClasses) -> bool:
    """Whether an operation succeeds whatever the shapes of its operands are, as far as they are not known."""
    types = shapes.code.types
    match value:
        case ast.Call(ast.Attribute(ast.Name("rt"), name), args, []) if all(map(is_atom, args)):
            arrays = {a.id for a in args if isinstance(a, ast.Name) and not is_number(types.get(a.id, ANY))}
            known = all(map(shapes.is_array, arrays))
            if name in ELEMENTWISE - ADJOINTS:
                return known and shapes.same(*arrays)
            return known and len(args) == 1 and name in _WHOLE
        case ast.Call(ast.Attribute(ast.Name(owner), "sum" | "mean"), [], []):
            return shapes.is_array(owner)
        case ast.Attribute(ast.Name(owner), "shape"):
            return shapes.is_array(owner)
    return False
