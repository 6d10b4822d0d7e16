"""Identities that hold for every float, NaN, infinities and the sign of zero included.

    d_y = rt.times(1.0, y)                     ->   d_y = y
    d_a = rt.negative(d_b)                     ->   d_c = rt.subtract(d_c, d_b)
    d_c = rt.add(d_c, d_a)
    y_form = rt.form(rt.square(x))             ->   y_form = rt.form(x)
    d_x = rt.power_base_adjoint(g, x, 2)       ->   part = rt.multiply(2.0, x)
                                                    d_x = rt.times(g, part)

`x * 0` stays: it is NaN where x is infinite. `x + 0` stays in the user's program, where it makes -0.0 to 0.0.
"""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import dataclass, field, replace

from myia.adjoint.code import load_name, runtime_call
from myia.optimise.code import ELEMENTWISE, FLOATING, Block, Code, operation
from myia.optimise.shapes import ShapeClasses
from myia.parse.program import names_read, names_written, statements_of
from myia.parse.types import Array, Type

_DENSE = ELEMENTWISE | {"matmul", "matvec", "array_dot", "dot", "vector_outer", "zeros_like", "ones_like"}
"""What gives a new array, in the order in memory that an operation on it would give."""


def simplify(code: Code) -> Code:
    simplifier = _Simplifier(code, dict(code.types))
    made = code.rewritten(simplifier.block)
    return replace(made, types=simplifier.types) if simplifier.changes else code


@dataclass
class _Simplifier:
    code: Code
    types: dict[str, Type]
    negated: dict[str, ast.Name] = field(default_factory=dict)
    """Of variables that are the negative of another, that other; both are bound once."""

    changes: int = 0
    literals: dict[str, ast.Constant] = field(default_factory=dict)
    """The compiler's variables that are bound once, to a number."""

    def __post_init__(self) -> None:
        self.shapes = ShapeClasses(self.code)
        statements = list(statements_of(self.code.body))
        stores = Counter(n for s in statements for n in names_written(s))
        added = {
            s.target.id for s in statements if isinstance(s, ast.AugAssign) and isinstance(s.target, ast.Name)
        }
        once = {n for n, count in stores.items() if count == 1} | (self.code.types.keys() - stores.keys())
        self.changed = self.code.written | added
        self.steady = once - self.changed
        dense = {s for s in statements if operation(getattr(s, "value", None)) in _DENSE}
        self.views = {n for s in statements if s not in dense for n in names_written(s)}
        for s in statements:
            match s:
                case ast.Assign([ast.Name(name)], ast.Call(_, [ast.Name(x) as operand], []) as call):
                    if operation(call) == "negative" and {name, x} <= self.steady:
                        self.negated[name] = operand
                case ast.Assign([ast.Name(name)], ast.Constant(float()) as literal):
                    if name in self.steady and name not in self.code.users:
                        self.literals[name] = literal

    def block(self, block: Block) -> Block:
        done: Block = []
        for s in block:
            made = self.statement(s)
            if done and (of_operand := _form_of_operand(done[-1], s)) is not None:
                made = [of_operand]
            self.changes += made != [s]
            done += made
        return done

    def statement(self, s: ast.stmt) -> Block:
        match s:
            case ast.Assign([ast.Name(target)], ast.Call(_, args, []) as call) if (
                target not in self.code.written
            ):
                made = self.simpler(operation(call) or "", self.known(args), target, s)
                if made is not None:
                    return made
            case ast.AugAssign(target, op, ast.Call(_, args, []) as call):
                made = self.simpler(operation(call) or "", self.known(args), "", s)
                if made is not None:
                    *before, last = made
                    assert isinstance(last, ast.Assign)
                    return [*before, ast.copy_location(ast.AugAssign(target, op, last.value), s)]
        return [s]

    def known(self, args: list[ast.expr]) -> list[ast.expr]:
        return [self.literals.get(a.id, a) if isinstance(a, ast.Name) else a for a in args]

    def simpler(self, name: str, args: list[ast.expr], target: str, s: ast.stmt) -> Block | None:
        def bind(value: ast.expr, to: str = target) -> ast.stmt:
            return ast.copy_location(ast.Assign([ast.Name(to, ast.Store())], value), s)

        def part(like: ast.Name, value: ast.expr) -> tuple[ast.stmt, ast.expr]:
            made = self.code.fresh("part")
            self.types[made] = self.types[like.id]
            return bind(value, made), ast.Name(made, ast.Load())

        match name, args:
            case (("times" | "multiply" | "quotient" | "divide"), [x, one]) if self.may_share(
                target, x
            ) and _is(one, 1):
                return [bind(x)]
            case (("times" | "multiply"), [one, x]) if self.may_share(target, x) and _is(one, 1):
                return [bind(x)]
            case "subtract", [x, zero] if self.may_share(target, x) and _is(zero, 0):
                return [bind(x)]
            case "add", [x, zero] if (
                self.may_share(target, x) and _is(zero, 0) and target not in self.code.users
            ):
                return [bind(x)]
            case "add", [x, ast.Name(n)] if n in self.negated:
                return [bind(runtime_call("subtract", x, self.negated[n]))]
            case "add", [ast.Name(n), x] if n in self.negated:
                return [bind(runtime_call("subtract", x, self.negated[n]))]
            case "subtract", [x, ast.Name(n)] if n in self.negated:
                return [bind(runtime_call("add", x, self.negated[n]))]
            case "form", [ast.Name(n)] if (origin := self.shapes.origin(n)) != n:
                return [bind(runtime_call("form", ast.Name(origin, ast.Load())))]
            case "negative", [ast.Name(n)] if n in self.negated:
                return [bind(self.negated[n])]
            case "power_base_adjoint", [g, ast.Name() as x, exponent] if self.is_float(x):
                if _is(exponent, 2):
                    first, slope = part(x, runtime_call("multiply", ast.Constant(2.0), x))
                    return [first, bind(runtime_call("times", g, slope))]
                if _is(exponent, 3):
                    first, squared = part(x, runtime_call("square", x))
                    second, slope = part(x, runtime_call("multiply", exponent, squared))
                    return [first, second, bind(runtime_call("times", g, slope))]
        return None

    def may_share(self, target: str, x: ast.expr) -> bool:
        """Whether a result may be the operand itself: an array of floats that nothing writes into afterwards.

        Nor a view: its sums would be taken in another order than those of a new array. Without a target the
        result is added to an adjoint at once.
        """
        named = names_read(x)
        return self.is_float(x) and (not target or not named & (self.changed | self.views))

    def is_float(self, atom: ast.expr) -> bool:
        """Whether an operand is an array of floats with elements along an axis."""
        t = self.types.get(atom.id) if isinstance(atom, ast.Name) else None
        return isinstance(t, Array) and t.rank != 0 and t.dtype is not None and t.dtype.kind == "f"


def _form_of_operand(previous: ast.stmt, s: ast.stmt) -> ast.stmt | None:
    """The form of what was just computed of one array alone: that array's."""
    match previous, s:
        case (
            ast.Assign([ast.Name(made)], ast.Call(_, operands, []) as value),
            ast.Assign(targets, ast.Call(_, [ast.Name(asked)], []) as form),
        ) if asked == made and operation(form) == "form" and operation(value) in FLOATING:
            arrays = {o.id for o in operands if isinstance(o, ast.Name)}
            if len(arrays) == 1 and made not in arrays:
                return ast.copy_location(
                    ast.Assign(targets, runtime_call("form", load_name(arrays.pop()))), s
                )
    return None


def _is(atom: ast.expr, value: int) -> bool:
    return isinstance(atom, ast.Constant) and type(atom.value) in (int, float) and atom.value == value
