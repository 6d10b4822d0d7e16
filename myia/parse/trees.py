"""Building syntax trees of the normal form, and small questions about the user's."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TypeVar

from myia.parse.source import FunctionNode, all_arguments

_HINTS: dict[type[ast.AST], str] = {
    ast.Add: "total", ast.Sub: "difference", ast.Mult: "product", ast.Div: "quotient", ast.Pow: "power",
    ast.MatMult: "product", ast.FloorDiv: "quotient", ast.Mod: "remainder",
    ast.USub: "negative", ast.UAdd: "positive", ast.Not: "negation",
    ast.Compare: "test", ast.BoolOp: "test", ast.Subscript: "item", ast.IfExp: "choice",
    ast.Tuple: "items", ast.List: "items", ast.Dict: "table", ast.Set: "members",
    ast.JoinedStr: "text", ast.Lambda: "function",
    ast.ListComp: "items", ast.DictComp: "table", ast.SetComp: "members",
}  # fmt: skip

Node = TypeVar("Node", bound=ast.AST)


def placed(node: Node, at: ast.AST) -> Node:
    return ast.copy_location(node, at)


def load(name: str, at: ast.AST) -> ast.Name:
    return placed(ast.Name(name, ast.Load()), at)


def call_of(function: ast.expr, arguments: list[ast.expr], at: ast.AST) -> ast.Call:
    return placed(ast.Call(function, arguments, []), at)


def item_of(value: ast.expr, index: ast.expr, at: ast.AST) -> ast.Subscript:
    return placed(ast.Subscript(value, index, ast.Load()), at)


def hint_for(node: ast.expr) -> str:
    """What a generated variable is called after."""
    match node:
        case ast.BinOp(_, operator) | ast.UnaryOp(operator):
            return _HINTS.get(type(operator), "value")
        case ast.Call(ast.Name(name)) | ast.Call(ast.Attribute(_, name)):
            name = name if name.islower() else "value"
            return _SYNONYMS.get(name, name)
        case ast.Attribute(_, name):
            return name if name.islower() else "value"
        case _:
            return _HINTS.get(type(node), "value")


_SYNONYMS = {
    "len": "length", "sum": "total", "max": "largest", "min": "least", "abs": "size", "float": "number",
    "int": "number", "range": "numbers", "sorted": "ordered", "list": "items", "tuple": "items",
}  # fmt: skip
"""What the result of a builtin is called, whose own name stays the builtin's."""


def has_star(node: ast.expr) -> bool:
    elements = node.args if isinstance(node, ast.Call) else getattr(node, "elts", [])
    return any(isinstance(element, ast.Starred) for element in elements)


def is_negative_literal(node: ast.UnaryOp) -> bool:
    return (
        isinstance(node.op, ast.USub)
        and isinstance(node.operand, ast.Constant)
        and type(node.operand.value) in (int, float)
    )


def stored_names(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def returns_of(body: list[ast.stmt]) -> Iterator[bool]:
    """One True for each return of this function, those of nested functions not counted."""
    for node in own_nodes(body):
        if isinstance(node, ast.Return):
            yield True


def own_nodes(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """The nodes of a function body without those of nested functions' bodies and comprehensions' targets."""
    pending: list[ast.AST] = list(reversed(body))
    while pending:
        node = pending.pop()
        yield node
        if isinstance(node, (ast.FunctionDef, ast.Lambda)):
            continue
        pending.extend(ast.iter_child_nodes(node))


def bound_names(node: FunctionNode, body: list[ast.stmt]) -> set[str]:
    """The local variables of a function: parameters, and all that it assigns outside comprehensions."""
    names = {argument.arg for argument in all_arguments(node.args)}
    comprehended: set[int] = set()
    for inner in own_nodes(body):
        if isinstance(inner, ast.comprehension):
            comprehended |= {id(n) for n in ast.walk(inner.target)}
        elif isinstance(inner, ast.FunctionDef):
            names.add(inner.name)
    for inner in own_nodes(body):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store) and id(inner) not in comprehended:
            names.add(inner.id)
    return names


def only_counts(function: FunctionNode, name: str) -> bool:
    """Whether a name is bound only as the target of plain `for` loops, and never read."""
    uses = [n for n in ast.walk(function) if isinstance(n, ast.Name) and n.id == name]
    targets = [n.target for n in ast.walk(function) if isinstance(n, ast.For)]
    return all(any(use is target for target in targets) for use in uses)


def leaving_statements(body: list[ast.stmt], loops: bool = False) -> Iterator[ast.stmt]:
    """The statements that leave a block: `return`, and what leaves or continues a loop around it."""
    for s in body:
        match s:
            case ast.Return():
                yield s
            case ast.Break() | ast.Continue() if not loops:
                yield s
            case ast.For(_, _, inner, orelse) | ast.While(_, inner, orelse):
                yield from leaving_statements(inner, True)
                yield from leaving_statements(orelse, loops)
            case ast.If(_, inner, orelse):
                yield from leaving_statements([*inner, *orelse], loops)
            case ast.With(_, inner):
                yield from leaving_statements(inner, loops)
