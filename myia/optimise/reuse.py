"""Results over operands that nothing reads any more: no new memory, and no second array in the cache.

    a = rt.add(a_2, x)   ->   a = rt.add(a_2, x, reuse=a_2)

The compiler shows that the variable is dead and, as far as it can see, alone in holding its value: made here
by an operation, never stored, returned or viewed. Whether the array fits, and whether anything else refers
to it after all, the runtime looks at when it runs; then, and in all doubt, it takes new memory.
"""

from __future__ import annotations

import ast
from dataclasses import replace

from myia.analysis.dataflow import ForwardFlow
from myia.analysis.liveness import all_read
from myia.optimise.code import ELEMENTWISE, Block, Code, operation
from myia.parse.program import names_written
from myia.parse.types import Array

Owned = frozenset[str]

_FRESH = ELEMENTWISE | {
    "matmul", "matvec", "array_dot", "dot", "zeros_like", "ones_like", "copied_at", "zeros", "ones", "empty",
    "vector_outer", "take_at", "cumsum", "sqrt_adjoint", "power_base_adjoint",
}  # fmt: skip
"""What gives an array in memory of its own, and keeps none of its operands."""

_READS = _FRESH | {"sum", "mean", "max", "min", "sum_to", "unbroadcast"}
"""What reads an array and does not keep it. The last two may give it back."""


def reuse_dead(code: Code) -> Code:
    live = code.live
    chains = {chain.name for chain in code.chains}
    owned = _owners(code, chains)
    notes = dict(code.notes)

    def reusing(block: Block) -> Block:
        return [made(s) for s in block]

    def made(s: ast.stmt) -> ast.stmt:
        match s:
            case ast.Assign([ast.Name()] as targets, ast.Call(function, args, []) as call) if (
                operation(call) in ELEMENTWISE
            ):
                for a in args:
                    if not isinstance(a, ast.Name) or a.id not in owned[s] or not live.dead_after(s, a.id):
                        continue
                    if not _may_fit(a.id, args, code):
                        continue
                    keyword = ast.keyword("reuse", ast.Name(a.id, ast.Load()))
                    again = ast.copy_location(ast.Assign(targets, ast.Call(function, args, [keyword])), s)
                    notes[again] = f"in place: {a.id} is dead"
                    return again
            case ast.Assign(targets, ast.Call(ast.Name(chain) as function, args, [])) if chain in chains:
                dead = [
                    a.id
                    for a in args
                    if isinstance(a, ast.Name)
                    and a.id in owned[s]
                    and live.dead_after(s, a.id)
                    and code.is_array(a.id)
                ]
                if dead:
                    given = ast.Tuple([ast.Name(n, ast.Load()) for n in dict.fromkeys(dead)], ast.Load())
                    call = ast.Call(function, args, [ast.keyword("reuse", given)])
                    again = ast.copy_location(ast.Assign(targets, call), s)
                    notes[again] = notes.pop(s, "one pass")
                    return again
        return s

    return replace(code.rewritten(reusing), notes=notes)


def _may_fit(name: str, args: list[ast.expr], code: Code) -> bool:
    """Whether, for all that types tell, the result may have the shape and dtype of an operand."""
    own = code.types.get(name)
    if not isinstance(own, Array):
        return False
    for a in args:
        t = code.types.get(a.id) if isinstance(a, ast.Name) else None
        if isinstance(t, Array) and None not in (t.rank, own.rank) and (t.rank or 0) > (own.rank or 0):
            return False
    return own.rank != 0


def _owners(code: Code, chains: set[str]) -> dict[ast.stmt, Owned]:
    """Before each statement, the variables that alone hold an array, for all that can be seen."""

    def transfer(s: ast.stmt, owned: Owned) -> Owned:
        written = set(names_written(s))
        value = getattr(s, "value", None)
        name = operation(value) if isinstance(value, ast.Call) else None
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in chains:
            return owned - written | written
        if not (name in _READS and isinstance(s, (ast.Assign, ast.AugAssign, ast.Expr))):
            shapes = _asked_for_shape(s)
            owned = owned.difference(n for n in all_read(s) if n not in shapes)
        owned = owned - written
        if isinstance(s, ast.Assign) and len(written) == 1 and name in _FRESH:
            owned |= written
        return owned

    def join(a: Owned, b: Owned) -> Owned:
        return a & b

    flow = ForwardFlow(transfer, join)
    flow.block(code.body, frozenset())
    return flow.before


def _asked_for_shape(s: ast.stmt) -> set[str]:
    match s:
        case ast.Assign(_, ast.Attribute(ast.Name(name), "shape")):
            return {name}
        case ast.Assign(
            [ast.Name()], ast.Call(ast.Attribute(ast.Name(name), "sum" | "mean" | "max" | "min"))
        ):
            return {name}
    return set()
