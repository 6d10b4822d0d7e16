"""Instantiate a rule's template for one operation: expressions over the caller's variables."""

from __future__ import annotations

import ast
import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from myia.adjoint.template import Contribution, Rule, Temporary


@dataclass(frozen=True)
class Term:
    """A contribution, instantiated: add `value` (or its negative) to the adjoint of `operand`.

    `index` names the elements it goes to, if not all.
    """

    parameter: str
    operand: ast.expr
    index: ast.expr | None
    negative: bool
    value: ast.expr


@dataclass(frozen=True)
class Binding:
    """A temporary, instantiated."""

    name: str
    value: ast.expr


def instantiate(
    rule: Rule,
    operands: Mapping[str, ast.expr],
    result: str,
    adjoint: ast.expr,
    wanted: Callable[[str], bool],
    fresh: Callable[[str], str],
) -> Iterator[Term | Binding]:
    """The template with parameters replaced by operands, `y` by `result` and `d[y]` by `adjoint`.

    Only the contributions to `wanted` parameters are made, and the temporaries they use.
    """
    steps = [s for s in rule.body if isinstance(s, Temporary) or wanted(s.parameter)]
    used: set[str] = set()
    for step in reversed(steps):
        if isinstance(step, Contribution) or step.name in used:
            used |= {n.id for n in ast.walk(step.value) if isinstance(n, ast.Name)}
            if isinstance(step, Contribution) and step.index is not None:
                used |= {n.id for n in ast.walk(step.index) if isinstance(n, ast.Name)}
    names: dict[str, ast.expr] = {**operands, rule.output: ast.Name(result, ast.Load())}
    for step in steps:
        if isinstance(step, Temporary):
            if step.name in used:
                value = substitute(step.value, names, adjoint)
                name = fresh(step.name)
                names[step.name] = ast.Name(name, ast.Load())
                yield Binding(name, value)
            continue
        yield Term(
            step.parameter,
            operands[step.parameter],
            None if step.index is None else substitute(step.index, names, adjoint),
            step.sign < 0,
            fold(substitute(step.value, names, adjoint)),
        )


def substitute(node: ast.expr, names: Mapping[str, ast.expr], adjoint: ast.expr) -> ast.expr:
    """A copy of a template's expression over the caller's variables."""
    match node:
        case ast.Name(name):
            return copy.copy(names[name]) if name in names else node
        case ast.Subscript(ast.Name("d")):
            return adjoint
        case ast.Constant():
            return node
    fields: dict[str, Any] = {}
    for name, value in ast.iter_fields(node):
        if isinstance(value, list):
            fields[name] = [substitute(v, names, adjoint) if isinstance(v, ast.AST) else v for v in value]  # type: ignore[arg-type]
        elif isinstance(value, ast.AST) and not isinstance(value, (ast.operator, ast.expr_context)):
            fields[name] = substitute(value, names, adjoint)  # type: ignore[arg-type]
        else:
            fields[name] = value
    return ast.copy_location(type(node)(**fields), node)


_ARITHMETIC: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b, ast.Sub: lambda a, b: a - b, ast.Mult: lambda a, b: a * b,
}  # fmt: skip
_COMPARISON: dict[type[ast.AST], Callable[[Any, Any], bool]] = {
    ast.Lt: lambda a, b: a < b, ast.LtE: lambda a, b: a <= b, ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b, ast.Eq: lambda a, b: a == b, ast.NotEq: lambda a, b: a != b,
    ast.Is: lambda a, b: a is b, ast.IsNot: lambda a, b: a is not b,
}  # fmt: skip


def fold(node: ast.expr) -> ast.expr:
    """Fold what literals decide: `x ** (2 - 1)` is `x`, `a if 2 >= 1 else b` is `a`.

    Only identities that hold for every float, NaN and infinities included.
    """
    match node:
        case ast.BinOp(left, op, right):
            left, right = fold(left), fold(right)
            if isinstance(left, ast.Constant) and isinstance(right, ast.Constant) and type(op) in _ARITHMETIC:
                if _number(left.value) and _number(right.value):
                    return ast.Constant(_ARITHMETIC[type(op)](left.value, right.value))
            if isinstance(op, ast.Pow) and isinstance(right, ast.Constant) and right.value == 1:
                return left
            if isinstance(op, ast.Mult) and _is_one(left):
                return right
            if isinstance(op, ast.Mult) and _is_one(right):
                return left
            return ast.BinOp(left, op, right)
        case ast.UnaryOp(op, operand):
            operand = fold(operand)
            if isinstance(op, ast.Not) and isinstance(operand, ast.Constant):
                return ast.Constant(not operand.value)
            return ast.UnaryOp(op, operand)
        case ast.Compare(left, [op], [right]):
            left, right = fold(left), fold(right)
            if isinstance(left, ast.Constant) and isinstance(right, ast.Constant) and type(op) in _COMPARISON:
                comparable = _number(left.value) and _number(right.value)
                if comparable or isinstance(op, (ast.Is, ast.IsNot)):
                    return ast.Constant(_COMPARISON[type(op)](left.value, right.value))
            return ast.Compare(left, [op], [right])
        case ast.BoolOp(op, values):
            return _fold_boolean(op, [fold(value) for value in values])
        case ast.IfExp(test, body, orelse):
            test = fold(test)
            if isinstance(test, ast.Constant):
                return fold(body if test.value else orelse)
            return ast.IfExp(test, fold(body), fold(orelse))
        case ast.Call(function, args, keywords):
            return ast.Call(function, [fold(a) for a in args], keywords)
    return node


def _fold_boolean(op: ast.boolop, values: list[ast.expr]) -> ast.expr:
    """Drop literals that cannot decide; stop at one that does."""
    decisive = isinstance(op, ast.Or)
    kept: list[ast.expr] = []
    for value in values:
        if isinstance(value, ast.Constant):
            if bool(value.value) is decisive:
                kept.append(value)
                break
            continue
        kept.append(value)
    if not kept:
        return ast.Constant(not decisive)
    return kept[0] if len(kept) == 1 else ast.BoolOp(op, kept)


def _number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _is_one(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) in (int, float) and node.value == 1
