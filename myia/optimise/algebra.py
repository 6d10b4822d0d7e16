"""Identities that hold for every float, NaN, infinities and the sign of zero included.

    d_y = rt.times(1.0, y)                     ->   d_y = y
    d_a = rt.negative(d_b)                     ->   d_c = rt.subtract(d_c, d_b)
    d_c = rt.add(d_c, d_a)
    d_x = rt.power_base_adjoint(g, x, 2)       ->   part = rt.multiply(2.0, x)
                                                    d_x = rt.times(g, part)

`x * 0` stays: it is NaN where x is infinite. `x + 0` stays in the user's program, where it makes -0.0 to 0.0.
"""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import dataclass, field, replace

from myia.adjoint.code import runtime_call
from myia.optimise.code import Block, Code, operation
from myia.parse.program import names_written, statements_of
from myia.parse.types import Array, Type


def simplify(code: Code) -> Code:
    simplifier = _Simplifier(code, dict(code.types))
    return replace(code.rewritten(simplifier.block), types=simplifier.types)


@dataclass
class _Simplifier:
    code: Code
    types: dict[str, Type]
    negated: dict[str, ast.Name] = field(default_factory=dict)
    """Of variables that are the negative of another, that other; both are bound once."""

    def __post_init__(self) -> None:
        statements = list(statements_of(self.code.body))
        stores = Counter(n for s in statements for n in names_written(s))
        added = {s.target.id for s in statements if isinstance(s, ast.AugAssign) and isinstance(s.target, ast.Name)}
        self.steady = {n for n in self.code.types if stores[n] <= 1} - added - self.code.written
        for s in statements:
            match s:
                case ast.Assign([ast.Name(name)], ast.Call(_, [ast.Name(x) as operand], []) as call):
                    if operation(call) == "negative" and {name, x} <= self.steady:
                        self.negated[name] = operand

    def block(self, block: Block) -> Block:
        return [made for s in block for made in self.statement(s)]

    def statement(self, s: ast.stmt) -> Block:
        match s:
            case ast.Assign([ast.Name(target)], ast.Call(_, args, []) as call) if target not in self.code.written:
                made = self.simpler(operation(call) or "", args, target, s)
                if made is not None:
                    return made
        return [s]

    def simpler(self, name: str, args: list[ast.expr], target: str, s: ast.stmt) -> Block | None:
        def bind(value: ast.expr, to: str = target) -> ast.stmt:
            return ast.copy_location(ast.Assign([ast.Name(to, ast.Store())], value), s)

        def part(value: ast.expr) -> tuple[ast.stmt, ast.expr]:
            made = self.code.fresh("part")
            self.types[made] = self.types[x.id]
            return bind(value, made), ast.Name(made, ast.Load())

        match name, args:
            case ("times" | "multiply" | "quotient" | "divide"), [x, one] if self.is_float(x) and _is(one, 1):
                return [bind(x)]
            case ("times" | "multiply"), [one, x] if self.is_float(x) and _is(one, 1):
                return [bind(x)]
            case "subtract", [x, zero] if self.is_float(x) and _is(zero, 0):
                return [bind(x)]
            case "add", [x, zero] if self.is_float(x) and _is(zero, 0) and target not in self.code.users:
                return [bind(x)]
            case "add", [x, ast.Name(n)] if n in self.negated:
                return [bind(runtime_call("subtract", x, self.negated[n]))]
            case "add", [ast.Name(n), x] if n in self.negated:
                return [bind(runtime_call("subtract", x, self.negated[n]))]
            case "subtract", [x, ast.Name(n)] if n in self.negated:
                return [bind(runtime_call("add", x, self.negated[n]))]
            case "negative", [ast.Name(n)] if n in self.negated:
                return [bind(self.negated[n])]
            case "power_base_adjoint", [g, ast.Name() as x, exponent] if self.is_float(x):
                if _is(exponent, 2):
                    first, slope = part(runtime_call("multiply", ast.Constant(2.0), x))
                    return [first, bind(runtime_call("times", g, slope))]
                if _is(exponent, 3):
                    first, squared = part(runtime_call("square", x))
                    second, slope = part(runtime_call("multiply", exponent, squared))
                    return [first, second, bind(runtime_call("times", g, slope))]
        return None

    def is_float(self, atom: ast.expr) -> bool:
        """Whether an operand is an array of floats with elements along an axis."""
        t = self.types.get(atom.id) if isinstance(atom, ast.Name) else None
        return isinstance(t, Array) and t.rank != 0 and t.dtype is not None and t.dtype.kind == "f"


def _is(atom: ast.expr, value: int) -> bool:
    return isinstance(atom, ast.Constant) and type(atom.value) in (int, float) and atom.value == value
