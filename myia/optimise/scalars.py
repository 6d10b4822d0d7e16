"""The cotangent of a sum is one number: it need not be spread over an array to be multiplied with another.

    d_product = rt.spread(d_total, product, None, False)   ->   d_product = d_total
    d_h = rt.times(d_product, h)                                d_h = rt.times(d_product, h)

Done where every operation that reads it has another operand of the same shape and dtype, so that the result
is the same array; and outside loops, where a variable has one shape.
"""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np

from myia.optimise.code import ELEMENTWISE, Block, Code, operation
from myia.parse.program import blocks_of, names_read, names_written
from myia.parse.types import ANY, REAL, Array, is_number

_DOUBLE = np.dtype(np.float64)


def keep_scalars(code: Code) -> Code:
    shapes = _Shapes(code)
    types = dict(code.types)
    kept = {s: s.value.args[0] for s in code.body if isinstance(s, ast.Assign) and shapes.is_kept(s)}  # type: ignore[attr-defined]

    def rewritten(block: Block) -> Block:
        done: Block = []
        for s in block:
            if s in kept:
                types[names_written(s)[0]] = REAL
                s = ast.copy_location(ast.Assign(s.targets, kept[s]), s)
            done.append(s)
        return done

    return replace(code.rewritten(rewritten), types=types) if kept else code


@dataclass
class _Shapes:
    """Which variables have the same shape: those bound once, outside loops, by elementwise operations."""

    code: Code
    parents: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        stores = Counter(n for s in _all(self.code.body) for n in names_written(s))
        outer = {n for s in self.code.body for n in names_written(s)}
        self.fixed = {n for n in self.code.types if stores[n] == 0 or (stores[n] == 1 and n in outer)}
        for s in self.code.body:
            match s:
                case ast.Assign([ast.Name(name)], ast.Call(_, args) as call) if (
                    operation(call) in ELEMENTWISE
                ):
                    arrays = [a.id for a in args if isinstance(a, ast.Name) and self.is_array(a.id)]
                    others = [a for a in args if not (isinstance(a, ast.Name) and self.is_array(a.id))]
                    if (
                        arrays
                        and len({self.find(a) for a in arrays}) == 1
                        and all(map(self.is_number, others))
                    ):
                        self.join(name, arrays[0])

    def is_kept(self, s: ast.Assign) -> bool:
        """Whether `s` spreads a number over an array that is only read beside others of its shape."""
        match s:
            case ast.Assign(
                [ast.Name(d)],
                ast.Call(_, [number, ast.Name(y), ast.Constant(None), ast.Constant(False)]) as call,
            ) if operation(call) == "spread":
                pass
            case _:
                return False
        scalar = operation(number) == "ones_like" or self.is_number(number)
        if d not in self.fixed or not scalar or not self.is_double(y):
            return False
        readers = [r for r in _all(self.code.body) if r is not s and d in names_read(r)]
        return all(self.has_shape_without(r, d, y) for r in readers)

    def has_shape_without(self, s: ast.stmt, d: str, y: str) -> bool:
        match s:
            case ast.Assign([ast.Name()], ast.Call(_, args, []) as call) if operation(call) in ELEMENTWISE:
                names = [a.id for a in args if isinstance(a, ast.Name) and a.id != d]
                return any(self.is_double(n) and self.find(n) == self.find(y) for n in names)
        return False

    def is_array(self, name: str) -> bool:
        return isinstance(self.code.types.get(name), Array)

    def is_double(self, name: str) -> bool:
        t = self.code.types.get(name)
        return isinstance(t, Array) and t.dtype is not None and t.dtype == _DOUBLE and name in self.fixed

    def is_number(self, atom: ast.expr) -> bool:
        if isinstance(atom, ast.Name):
            return is_number(self.code.types.get(atom.id, ANY))
        return isinstance(atom, (ast.Constant, ast.UnaryOp))

    def find(self, name: str) -> str:
        while name in self.parents:
            name = self.parents[name]
        return name

    def join(self, a: str, b: str) -> None:
        if {a, b} <= self.fixed and self.find(a) != self.find(b):
            self.parents[self.find(a)] = self.find(b)


def _all(block: Block) -> list[ast.stmt]:
    return [inner for s in block for inner in (s, *(i for b in blocks_of(s) for i in _all(b)))]
