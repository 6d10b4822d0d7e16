"""Which variables of emitted code have the same shape: those that elementwise operations relate.

    a = rt.sin(x)              a, x and b have one shape, whatever it is
    b = rt.multiply(a, x)

Only of variables that are bound once, outside loops: there a variable has one shape. (`analysis/shapes.py`
knows more, of the user's program; here there are adjoints too.)
"""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from myia.optimise.code import ELEMENTWISE, Code, operation
from myia.parse.program import names_written, statements_of
from myia.parse.types import ANY, Array, is_number

_DOUBLE = np.dtype(np.float64)


@dataclass
class ShapeClasses:
    """Sets of variables of one shape, joined (Tarjan's union-find)."""

    code: Code
    parents: dict[str, str] = field(default_factory=dict)
    made_of: dict[str, str] = field(default_factory=dict)
    """Of the results of elementwise operations, one operand of the same shape."""

    def __post_init__(self) -> None:
        stores = Counter(n for s in statements_of(self.code.body) for n in names_written(s))
        outer = {n for s in self.code.body for n in names_written(s)}
        self.fixed = {n for n in self.code.types if stores[n] == 0 or (stores[n] == 1 and n in outer)}
        for group in self.code.alike:
            for name in group[1:]:
                self.join(group[0], name)
        for s in self.code.body:
            match s:
                case ast.Assign([ast.Name(name)], ast.Name(other)) if self.is_array(other):
                    self.join(name, other)
                case ast.Assign([ast.Name(name)], ast.Call(_, args) as call) if (
                    operation(call) in ELEMENTWISE
                ):
                    arrays = [a.id for a in args if isinstance(a, ast.Name) and self.is_array(a.id)]
                    others = [a for a in args if not (isinstance(a, ast.Name) and self.is_array(a.id))]
                    if arrays and self.same(*arrays) and all(map(self.is_number, others)):
                        self.join(name, arrays[0])
                        self.made_of[name] = arrays[0]
                case ast.Assign([ast.Name(name)], ast.Call(_, [ast.Name(array)], []) as call):
                    if operation(call) == "form":
                        self.join(name, array)

    def same(self, *names: str) -> bool:
        """Whether some arrays are known to have one shape."""
        return len({self.find(n) for n in names}) == 1

    def is_array(self, name: str) -> bool:
        return isinstance(self.code.types.get(name), Array)

    def is_double(self, name: str) -> bool:
        """Whether a variable is one array of float64 throughout."""
        t = self.code.types.get(name)
        return isinstance(t, Array) and t.dtype is not None and t.dtype == _DOUBLE and name in self.fixed

    def is_number(self, atom: ast.expr) -> bool:
        if isinstance(atom, ast.Name):
            return is_number(self.code.types.get(atom.id, ANY))
        return isinstance(atom, (ast.Constant, ast.UnaryOp))

    def origin(self, name: str) -> str:
        """What an array was made of, step by step, that has the same shape and dtype."""
        while self.is_double(name) and self.is_double(before := self.made_of.get(name, "")):
            name = before
        return name

    def find(self, name: str) -> str:
        while name in self.parents:
            name = self.parents[name]
        return name

    def join(self, a: str, b: str) -> None:
        if {a, b} <= self.fixed and self.find(a) != self.find(b):
            self.parents[self.find(a)] = self.find(b)
