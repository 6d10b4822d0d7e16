"""A failing program made small, as text.

`reduced(text, fails)` leaves out statements, arguments of the program and parts of expressions for as long as
`fails` says that the program still fails in the same way (Zeller & Hildebrandt 2002, on the syntax tree and
without their halving: programs here have some twenty lines).
"""

from __future__ import annotations

import ast
import time
from collections.abc import Callable, Iterator

SECONDS = 60.0


def reduced(text: str, fails: Callable[[str], bool], seconds: float = SECONDS) -> str:
    """The smallest program found in the time; `text` itself if nothing can be left out."""
    stop = time.monotonic() + seconds
    text = ast.unparse(ast.parse(text))
    found = True
    while found and time.monotonic() < stop:
        found = False
        for smaller in smaller_programs(text):
            if time.monotonic() > stop:
                break
            if len(smaller) < len(text) and fails(smaller):
                text, found = smaller, True
                break
    return text


def smaller_programs(text: str) -> Iterator[str]:
    """Programs with one thing less: first whole statements, then parts of expressions.

    The tree is changed in place, printed and put back, so each program differs from `text` in one place.
    """
    tree = ast.parse(text)
    for body in list(bodies(tree)):
        for k in reversed(range(len(body))):
            for smaller in [[], *inner_bodies(body[k])]:
                if len(body) + len(smaller) == 1:
                    continue  # a body may not be empty
                kept = body[:]
                body[k : k + 1] = smaller
                yield ast.unparse(tree)
                body[:] = kept
    for node in list(ast.walk(tree)):
        for name, value in ast.iter_fields(node):
            if isinstance(value, ast.expr) and name not in ("func", "annotation", "returns"):
                for part in parts(value):
                    setattr(node, name, part)
                    yield ast.unparse(tree)
                setattr(node, name, value)
            elif isinstance(value, list) and value and isinstance(value[0], ast.expr):
                yield from smaller_lists(tree, value)


def smaller_lists(tree: ast.AST, items: list[ast.expr]) -> Iterator[str]:
    kept = items[:]
    for k, item in enumerate(kept):
        for part in parts(item):
            items[k] = part
            yield ast.unparse(tree)
            items[:] = kept
        if len(kept) > 1:
            del items[k]
            yield ast.unparse(tree)
            items[:] = kept


def bodies(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(tree):
        for name in ("body", "orelse"):
            body = getattr(node, name, None)
            if isinstance(body, list) and body:
                yield body


def inner_bodies(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    """What a branch or a loop may be replaced by: its own statements."""
    if isinstance(statement, (ast.If, ast.For, ast.While)):
        yield statement.body
        if statement.orelse:
            yield statement.orelse


def parts(expression: ast.expr) -> Iterator[ast.expr]:
    """Expressions inside one, that may take its place."""
    match expression:
        case ast.BinOp(left=left, right=right):
            yield left
            yield right
        case ast.UnaryOp(operand=operand):
            yield operand
        case ast.IfExp(body=body, orelse=orelse):
            yield body
            yield orelse
        case ast.Call(func=function, args=args):
            yield from args
            if isinstance(function, ast.Attribute):
                yield function.value
        case ast.Subscript(value=value) | ast.Attribute(value=value):
            yield value
        case ast.Compare(left=left):
            yield left
    if not isinstance(expression, (ast.Constant, ast.Slice)) and getattr(
        expression, "ctx", None
    ).__class__ in (
        ast.Load,
        type(None),
    ):
        yield ast.Constant(0.5)
