"""Bind the arguments of a call to parameters, as expressions."""

from __future__ import annotations

import ast
from typing import Any

from myia.adjoint.template import Rule
from myia.parse.program import (
    KEYWORD_ONLY,
    NO_DEFAULT,
    POSITIONAL,
    POSITIONAL_ONLY,
    VAR_KEYWORD,
    VAR_POSITIONAL,
    Parameter,
    Program,
)


def bind_call(
    program: Program, arguments: list[ast.expr], keywords: dict[str, ast.expr]
) -> dict[str, ast.expr] | str:
    """Each parameter with the expression it is given, or why Python would refuse the call."""
    bound: dict[str, ast.expr] = {}
    positional = list(arguments)
    named = dict(keywords)
    name = program.name
    for parameter in program.parameters:
        match parameter.kind:
            case _ if parameter.kind == VAR_POSITIONAL:
                bound[parameter.name] = ast.Tuple(positional, ast.Load())
                positional = []
            case _ if parameter.kind == VAR_KEYWORD:
                keys: list[ast.expr | None] = [ast.Constant(key) for key in named]
                bound[parameter.name] = ast.Dict(keys, list(named.values()))
                named = {}
            case _:
                if positional and parameter.kind in (POSITIONAL_ONLY, POSITIONAL):
                    if parameter.name in named and parameter.kind == POSITIONAL:
                        return f"{name}() got multiple values for argument {parameter.name!r}"
                    bound[parameter.name] = positional.pop(0)
                elif parameter.name in named and parameter.kind in (POSITIONAL, KEYWORD_ONLY):
                    bound[parameter.name] = named.pop(parameter.name)
                elif parameter.optional:
                    bound[parameter.name] = default_expression(program, parameter)
                else:
                    return f"{name}() is called without its argument {parameter.name!r}"
    if positional:
        return f"{name}() takes fewer positional arguments than it is given"
    if named:
        return f"{name}() has no parameter {next(iter(named))!r}"
    return bound


def default_expression(program: Program, parameter: Parameter) -> ast.expr:
    """A parameter's default: a literal, the variable that keeps it, or a value to be bound by name."""
    if parameter.capture is not None:
        return ast.Name(parameter.capture, ast.Load())
    value = parameter.default
    if value is NO_DEFAULT:
        raise AssertionError(parameter.name)
    return as_expression(value) if isinstance(value, tuple) else ast.Constant(value)


def as_expression(value: Any) -> ast.expr:
    """A bound argument as an expression: already one, several, or a default of the rule."""
    if isinstance(value, ast.expr):
        return value
    if isinstance(value, tuple):
        return ast.Tuple([as_expression(item) for item in value], ast.Load())
    if isinstance(value, dict):
        return ast.Dict([ast.Constant(k) for k in value], [as_expression(v) for v in value.values()])
    return ast.Constant(value)


def named_arguments(keywords: dict[str | None, ast.expr]) -> dict[str, ast.expr]:
    return {name: value for name, value in keywords.items() if name is not None}


def is_default(keyword: ast.keyword) -> bool:
    """`out=None` is NumPy's default: no rule needs to have the parameter for it."""
    return keyword.arg == "out" and isinstance(keyword.value, ast.Constant) and keyword.value.value is None


def binds(rule: Rule, arguments: list[ast.expr], keywords: dict[str, ast.expr]) -> bool:
    try:
        rule.signature.bind(*arguments, **keywords)
    except TypeError:
        return False
    return True
