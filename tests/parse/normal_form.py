"""What the normal form is, as a checker, and how to run it."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from myia import runtime
from myia.parse.normalize import show
from myia.parse.program import Program, blocks_of, statements_of


def violations(program: Program) -> list[str]:
    """The statements of a program that the grammar in `myia/parse/program.py` does not allow."""
    found: list[str] = []
    pending, seen = [program], set[Program]()
    while pending:
        current = pending.pop()
        if current in seen:
            continue  # a nested function that calls itself
        seen.add(current)
        pending += current.nested.values()
        found += [ast.unparse(s) for s in statements_of(current.body) if not _allowed(s)]
        for block in _blocks(current.body):
            found += ["a break before the end of a block" for s in block[:-1] if isinstance(s, ast.Break)]
    return found


def run(program: Program) -> Callable[..., Any]:
    """The normal form, as a Python function."""
    names: dict[str, Any] = {"rt": runtime}
    names |= {path: value for path, value in program.constants.items() if "." not in path}
    names |= {name: origin.load() for name, origin in program.inputs.items()}
    exec(show(program), names)  # noqa: S102 - our own text
    return names[program.name]


def _blocks(block: list[ast.stmt]) -> list[list[ast.stmt]]:
    return [block] + [b for s in block for inner in blocks_of(s) for b in _blocks(inner)]


def _allowed(s: ast.stmt) -> bool:
    match s:
        case ast.Assign([ast.Name()], value):
            return _operation(value)
        case ast.For(ast.Name(), ast.Call(_, bounds), _, []):
            return all(map(_atom, bounds))
        case ast.While(ast.Constant(True), _, []):
            return True
        case ast.If(ast.Name()):
            return True
        case ast.Expr(ast.Call() as call):
            return _operation(call)
        case ast.Break() | ast.Pass() | ast.FunctionDef() | ast.Raise():
            return True
        case ast.Assert(test):
            return _atom(test)
    return False


def _operation(node: ast.expr) -> bool:
    match node:
        case ast.BinOp(left, _, right):
            return _atom(left) and _atom(right)
        case ast.UnaryOp(_, operand):
            return _atom(operand)
        case ast.Compare(left, [_], [right]):
            return _atom(left) and _atom(right)
        case ast.Call(function, arguments, keywords):
            values = [a.value if isinstance(a, ast.Starred) else a for a in arguments]
            callee = function.value if isinstance(function, ast.Attribute) else function
            return _path(callee) and all(map(_atom, values)) and all(_atom(k.value) for k in keywords)
        case ast.Subscript(value, index):
            parts = index.elts if isinstance(index, ast.Tuple) else [index]
            return _path(value) and all(map(_index, parts))
        case ast.Attribute(value):
            return _path(value)
        case ast.Tuple(items) | ast.List(items) | ast.Set(items):
            return all(map(_atom, items))
        case ast.Dict(keys, values):
            return all(key is not None and _atom(key) for key in keys) and all(map(_atom, values))
        case ast.JoinedStr():
            return True
    return _atom(node)


def _index(node: ast.expr) -> bool:
    if isinstance(node, ast.Slice):
        return all(part is None or _atom(part) for part in (node.lower, node.upper, node.step))
    return _atom(node)


def _atom(node: ast.expr) -> bool:
    """A name, a dotted path of constants, or a literal, negative ones and tuples of them included."""
    match node:
        case ast.UnaryOp(ast.USub(), ast.Constant()):
            return True
        case ast.Tuple(items):
            return all(map(_atom, items))
    return isinstance(node, ast.Constant) or _path(node)


def _path(node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, (ast.Name, ast.Constant))
