"""Calls in the forward sweep: of the forward half of a pair, and of what only the run knows."""

from __future__ import annotations

import ast

from myia.adjoint.code import as_index, runtime_call
from myia.adjoint.reverse import DynamicCall, UserCall
from myia.parse.typed import CLOSURE, Operation


def call_forward(call: UserCall) -> ast.expr:
    """`f_forward(...)`: gives the value and the record that `f_backward` reads."""
    arguments: list[ast.expr] = []
    for name, expression in call.arguments:
        if name == CLOSURE:
            captured = call.typed.program.captures
            arguments += [runtime_call("captured", expression, ast.Constant(c)) for c in captured]
        else:
            arguments.append(expression)
    return ast.Call(ast.Name(f"{call.pair}_forward", ast.Load()), arguments, [])


def call_at_run_time(value: ast.expr, call: DynamicCall) -> ast.expr:
    """`rt.call(...)`: gives the value and a pullback, for whatever the function turns out to be."""
    active = ast.Tuple([ast.Constant(a) for a in call.active], ast.Load())
    if isinstance(value, ast.Attribute):
        got = runtime_call("get_attribute", value.value, ast.Constant(value.attr))
        if call.shadowed:
            got.keywords.append(ast.keyword("shadowed", ast.Constant(True)))
        return got
    assert isinstance(value, ast.Call)
    keys: list[ast.expr | None] = [None if k.arg is None else ast.Constant(k.arg) for k in value.keywords]
    keywords: ast.expr = ast.Dict(keys, [k.value for k in value.keywords])
    if keys == [None]:
        keywords = value.keywords[0].value
    arguments: ast.expr = ast.Tuple(list(value.args), ast.Load())
    spread = [
        ast.Constant(bool(value.args) and isinstance(value.args[0], ast.Starred)),
        ast.Constant(keys == [None]),
    ]
    if spread[0].value:
        arguments = value.args[0].value  # type: ignore[attr-defined]
    flags = spread if any(flag.value for flag in spread) else []
    if isinstance(value.func, ast.Attribute) and call.method:
        receiver, name = value.func.value, ast.Constant(value.func.attr)
        made = runtime_call("call_method", receiver, name, arguments, keywords, active, *flags)
    else:
        made = runtime_call("call", value.func, arguments, keywords, active, *flags)
    if call.shadowed:
        made.keywords.append(ast.keyword("shadowed", ast.Constant(True)))
    return made


def mutation(operation: Operation, value: ast.expr) -> ast.expr:
    """`rt.mutate(...)`: runs what writes in place; gives its value, and what undoes it."""
    kind, *rest = operation.function
    fixed: list[ast.expr] = [ast.Constant(part) for part in rest]
    if kind == "function":
        assert isinstance(value, ast.Call)
        fixed = [value.func]
    plain = [n for n in operation.operands if n.isdigit() or n in ("x", "i", "y")]
    positional = [as_index(operation.operands[n]) for n in plain]
    named = [ast.keyword(n, o) for n, o in operation.operands.items() if n not in plain]
    if kind in ("method", "setattr"):
        positional = [positional[0], *fixed, *positional[1:]]
        fixed = []
    made = runtime_call("mutate", ast.Constant(kind), *fixed, *positional)
    made.keywords.extend(named)
    return made
