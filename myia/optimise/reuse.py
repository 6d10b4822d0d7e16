"""Results over operands that nothing reads any more: no new memory, and no second array in the cache.

    a = rt.add(a_2, x)   ->   a = rt.add(a_2, x, reuse=a_2)

The compiler shows that the variable is dead and, as far as it can see, alone in holding its value: made here
by an operation, or taken from a stack, not viewed since. Whether the array fits, and whether anything else
refers to it after all, the runtime looks at when it runs; then, and in all doubt, it takes new memory.

What is read last for its shape alone is dead before, with the shape noted:

    total = rt.add(product, b)                 product_shape = product.shape
    ...                                   ->   total = rt.add(product, b, reuse=product)
    d = rt.unbroadcast(d_total, product)       ...
                                               d = rt.sum_to(d_total, product_shape)
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace

from myia.adjoint.code import bind, load_name, runtime_call
from myia.analysis.dataflow import ForwardFlow
from myia.analysis.liveness import all_read
from myia.optimise.code import ELEMENTWISE, Block, Code, operation
from myia.parse.program import blocks_of, names_written, statements_of
from myia.parse.types import Array

Owned = frozenset[str]

_FRESH = ELEMENTWISE | {
    "matmul", "matvec", "array_dot", "dot", "zeros_like", "ones_like", "copied_at", "zeros", "ones", "empty",
    "vector_outer", "take_at", "cumsum", "sqrt_adjoint", "power_base_adjoint",
}  # fmt: skip
"""What gives an array in memory of its own, and keeps none of its operands."""

_PRODUCTS = frozenset({"matmul", "matvec", "array_dot", "dot"})
"""What may write its result over an array that is no operand: that of which it is the cotangent fits."""

_SUMMED = frozenset({"sum_to", "unbroadcast"})
"""What gives back its first operand, or the sum of it."""

_READS = _FRESH | _SUMMED | {"sum", "mean", "max", "min"}
"""What reads an array and does not keep it."""


def reuse_dead(code: Code) -> Code:
    chains = {chain.name for chain in code.chains}
    code = _with_shapes_noted(code, _owners(code, chains))
    live = code.live
    owned = _owners(code, chains)
    notes = dict(code.notes)

    def reusing(block: Block) -> Block:
        return [made(s) for s in block]

    def is_dead(s: ast.stmt, name: str) -> bool:
        """Whether a variable alone holds an array that nothing reads after a statement."""
        return name in owned[s] and live.dead_after(s, name)

    def over(s: ast.Assign, call: ast.Call, dead: ast.expr, note: str) -> ast.stmt:
        again = ast.Call(call.func, call.args, [ast.keyword("reuse", dead)])
        made = ast.copy_location(ast.Assign(s.targets, again), s)
        notes[made] = note
        return made

    def made(s: ast.stmt) -> ast.stmt:
        match s:
            case ast.Assign([ast.Name()], ast.Call(_, args, []) as call) if operation(call) in ELEMENTWISE:
                for a in args:
                    if isinstance(a, ast.Name) and is_dead(s, a.id) and _may_fit(a.id, args, code):
                        return over(s, call, load_name(a.id), f"in place: {a.id} is dead")
            case ast.Assign([ast.Name(name)], ast.Call(_, _, []) as call) if operation(call) in _PRODUCTS:
                primal = code.primals.get(name, "")
                if is_dead(s, primal) and primal not in all_read(s) and code.is_array(primal):
                    return over(s, call, load_name(primal), f"in the memory of {primal}, which is dead")
            case ast.Assign(_, ast.Call(ast.Name(chain), args, []) as call) if chain in chains:
                names = dict.fromkeys(a.id for a in args if isinstance(a, ast.Name))
                dead = [n for n in names if is_dead(s, n) and code.is_array(n)]
                if dead:
                    given = ast.Tuple([*map(load_name, dead)], ast.Load())
                    return over(s, call, given, notes.pop(s, "one pass"))
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
        given = isinstance(s, ast.Assign) and len(written) == 1 and _is_own(s.value, owned, chains)
        return owned - written | (written if given else set())

    def join(a: Owned, b: Owned) -> Owned:
        return a & b

    flow = ForwardFlow(transfer, join)
    flow.block(code.body, frozenset())
    return flow.before


def _is_own(value: ast.expr, owned: Owned, chains: set[str]) -> bool:
    """Whether a value is held by nothing but the variable it is bound to, for all that can be seen."""
    match value:
        case ast.Name(name):
            return name in owned
        case ast.Attribute(ast.Name("rt"), "UNBOUND"):  # nothing yet
            return True
        case ast.Call(ast.Attribute(ast.Name(), "pop"), []):
            return True
        case ast.Call(ast.Name(chain)) if chain in chains:
            return True
        case ast.Call(_, [first, *_]) if operation(value) in _SUMMED:
            return _is_own(first, owned, chains)
    return operation(value) in _FRESH


def _with_shapes_noted(code: Code, owned: Mapping[ast.stmt, Owned]) -> Code:
    def noting(block: Block) -> Block:
        done = list(block)
        for s in block:
            match s:
                case ast.Assign(
                    [ast.Name()] as targets, ast.Call(_, [summed, ast.Name(name)], []) as call
                ) if operation(call) == "unbroadcast" and _shape_alone(code, s, name):
                    at = done.index(s)
                    before = _last_use(done[:at], name)
                    if before is None or name not in owned.get(done[before], frozenset()):
                        continue
                    shape = code.fresh(f"{name}_shape")
                    noted = bind(
                        shape, ast.Attribute(ast.Name(name, ast.Load()), "shape", ast.Load()), done[before]
                    )
                    again = runtime_call("sum_to", summed, ast.Name(shape, ast.Load()))
                    done[at] = ast.copy_location(ast.Assign(targets, again), s)
                    done.insert(before, noted)
        return done

    return code.rewritten(noting)


def _shape_alone(code: Code, s: ast.Assign, name: str) -> bool:
    """Whether a statement that sums back to the shape of an array is all that still reads that array."""
    t = code.types.get(name)
    rest = [n.id for n in ast.walk(s.value) if isinstance(n, ast.Name)]
    return isinstance(t, Array) and bool(t.rank) and rest.count(name) == 1 and code.live.dead_after(s, name)


def _last_use(block: Block, name: str) -> int | None:
    """What reads a variable last; None if that is a loop or a branch, or the variable is bound since."""
    for k in reversed(range(len(block))):
        inner = list(statements_of([block[k]]))
        if any(name in names_written(s) for s in inner):
            return None
        if any(name in all_read(s) for s in inner):
            return None if blocks_of(block[k]) else k
    return None


def _asked_for_shape(s: ast.stmt) -> set[str]:
    match s:
        case ast.Assign(_, ast.Attribute(ast.Name(name), "shape")):
            return {name}
        case ast.Assign(
            [ast.Name()], ast.Call(ast.Attribute(ast.Name(name), "sum" | "mean" | "max" | "min"))
        ):
            return {name}
    return set()
