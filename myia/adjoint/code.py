"""Building reverse code."""

from __future__ import annotations

import ast
import functools

SHADOWS = ast.Name("shadows", ast.Load())
"""The table of shadows of one call."""


def runtime_call(name: str, *arguments: ast.expr) -> ast.Call:
    """`rt.name(arguments)`."""
    return ast.Call(ast.Attribute(ast.Name("rt", ast.Load()), name, ast.Load()), list(arguments), [])


def shadows_call(name: str, *arguments: ast.expr) -> ast.Call:
    """`shadows.name(arguments)`."""
    return ast.Call(ast.Attribute(SHADOWS, name, ast.Load()), list(arguments), [])


def load_name(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def bind(name: str, value: ast.expr, at: ast.AST) -> ast.stmt:
    """`name = value`, placed where `at` is."""
    return ast.copy_location(ast.Assign([ast.Name(name, ast.Store())], value), at)


def item_of(value: ast.expr, index: ast.expr) -> ast.expr:
    return ast.Subscript(value, index, ast.Load())


def as_index(index: ast.expr) -> ast.expr:
    """An index as a value: slices written as calls of `slice`."""
    match index:
        case ast.Slice(lower, upper, step):
            parts = [part or ast.Constant(None) for part in (lower, upper, step)]
            return runtime_call("builtin_slice", *parts)
        case ast.Tuple(elements):
            return ast.Tuple([as_index(e) for e in elements], ast.Load())
    return index


FOR_SHAPE = {"unbroadcast": 1, "zeros_like": 0, "form": 0, "spread": 1, "spread_mean": 1}
"""Functions of the runtime that ask one operand only for its shape and dtype, with its position."""


def asked_for_shape(node: ast.AST) -> tuple[str, ast.Call, int] | None:
    """Of a call that asks a variable for its shape only: function, call, and the operand's position."""
    match node:
        case ast.Call(ast.Attribute(ast.Name("rt"), function), args) if function in FOR_SHAPE:
            at = FOR_SHAPE[function]
            if at < len(args) and isinstance(args[at], ast.Name):
                return function, node, at
    return None


@functools.lru_cache(maxsize=4096)
def shape_questions(statement: ast.stmt) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """What a statement asks for its shape only, as function and name; and the names it reads otherwise."""
    asks: list[tuple[str, str]] = []
    read: list[str] = []
    pending: list[ast.AST] = [statement]
    while pending:
        node = pending.pop()
        if (asked := asked_for_shape(node)) is not None:
            function, call, at = asked
            asks += [(function, array.id) for array in [call.args[at]] if isinstance(array, ast.Name)]
            pending.extend(call.args[:at] + call.args[at + 1 :])
        elif isinstance(node, ast.Name):
            read.append(node.id)
        else:
            pending.extend(ast.iter_child_nodes(node))
    return tuple(asks), tuple(read)
