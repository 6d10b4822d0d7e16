"""One operation of arrays a statement, each by its name in the runtime, so that the passes see them all.

    d_b = d_b + rt.times(g, rt.add(a, c))   ->   operand = rt.add(a, c)
                                                 part = rt.times(g, operand)
                                                 d_b = rt.add(d_b, part)

`codegen/fold.py` writes what is used once by the next statement back into it.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from myia.adjoint.code import runtime_call
from myia.optimise.code import ELEMENTWISE, FLOATING, Block, Code, operation
from myia.parse.types import ANY, Array, Type, constant_type, is_number

_ARITHMETIC: dict[type[ast.operator], str] = {
    ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide",
}  # fmt: skip


def single_operations(code: Code) -> Code:
    types = dict(code.types)
    splitter = _Splitter(replace(code, types=types), types)
    return replace(code.rewritten(splitter.block), types=types)


@dataclass
class _Splitter:
    code: Code
    types: dict[str, Type]

    def block(self, block: Block) -> Block:
        done: Block = []
        for s in block:
            match s:
                case ast.Assign([ast.Name(name)], value):
                    made = self.expression(value, s, done, outermost=True)
                    self.types.setdefault(name, self.type_of(made))
                    done.append(ast.copy_location(ast.Assign(s.targets, made), s))
                case ast.AugAssign(ast.Name() as target, op, value):
                    made = self.expression(value, s, done, outermost=True)
                    done.append(ast.copy_location(ast.AugAssign(target, op, made), s))
                case _:
                    done.append(s)
        return done

    def expression(self, node: ast.expr, s: ast.stmt, done: Block, outermost: bool = False) -> ast.expr:
        """The expression with operations inside operations bound to names, in the order of evaluation."""
        made = node
        match node:
            case ast.Call(function, args, []) if operation(node) in ELEMENTWISE:
                made = ast.Call(function, self.operands(args, s, done), [])
            case ast.BinOp(left, op, right) if type(op) in _ARITHMETIC:
                left, right = self.operands([left, right], s, done)
                made = ast.BinOp(left, op, right)
                if any(isinstance(self.type_of(e), Array) for e in (left, right)):
                    made = runtime_call(_ARITHMETIC[type(op)], left, right)
            case ast.UnaryOp(ast.USub(), operand) if not isinstance(operand, ast.Constant):
                (operand,) = self.operands([operand], s, done)
                made = ast.UnaryOp(ast.USub(), operand)
                if isinstance(self.type_of(operand), Array):
                    made = runtime_call("negative", operand)
        if outermost or operation(made) not in ELEMENTWISE or not isinstance(self.type_of(made), Array):
            return made
        name = self.code.fresh("part")
        self.types[name] = self.type_of(made)
        done.append(ast.copy_location(ast.Assign([ast.Name(name, ast.Store())], made), s))
        return ast.Name(name, ast.Load())

    def operands(self, operands: list[ast.expr], s: ast.stmt, done: Block) -> list[ast.expr]:
        """What comes after an operand that stays where it is stays too: nothing is reordered."""
        made: list[ast.expr] = []
        for operand in operands:
            fixed = any(not is_atom(m) for m in made)
            made.append(operand if fixed else self.expression(operand, s, done))
        return made

    def type_of(self, node: ast.expr) -> Type:
        match node:
            case ast.Name(name):
                return self.types.get(name, ANY)
            case ast.Constant(value):
                return constant_type(value)
            case ast.Call(_, args) if operation(node) in ELEMENTWISE:
                arrays = [t for t in map(self.type_of, args) if isinstance(t, Array)]
                ranks = [t.rank for t in arrays if t.rank is not None]
                if arrays:
                    rank = max(ranks) if len(ranks) == len(arrays) else None
                    return Array(self.dtype_of(operation(node) or "", args, arrays), rank)
        return ANY

    def dtype_of(self, name: str, args: list[ast.expr], arrays: list[Array]) -> np.dtype[Any] | None:
        """Double precision stays double; what else there is, the run will show."""
        double = np.dtype(np.float64)
        if name not in FLOATING or any(t.dtype is None or t.dtype != double for t in arrays):
            return None
        others = [t for t in map(self.type_of, args) if not isinstance(t, Array)]
        return double if all(map(is_number, others)) else None


def is_atom(node: ast.expr) -> bool:
    return isinstance(node, (ast.Name, ast.Constant)) or (
        isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant)
    )
