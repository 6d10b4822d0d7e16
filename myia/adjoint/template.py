"""Derivative rules as templates: how a rule is written, kept, and run on its own.

A rule is a function that is never called. Its first parameter is the result of the operation, the
others are the operation's own parameters, named and defaulted as NumPy names them:

    @elementwise(np.tanh)
    def tanh(y, x):
        d[x] += d[y] * (1.0 - y * y)

`d[x]` is the adjoint of `x`, `d[y]` the adjoint of the result. The body may hold

- contributions, `d[parameter] += expression`, or `-=`; `d[parameter][index] += expression` adds to
  the elements of an array or container that `index` selects;
- temporaries, `name = expression`.

Expressions use the parameters, the result, `d[result]`, constants, operators, `rt.*`, `np.*` and
`math.*`, and nothing else. What the backprop needs is read off the expressions; a contribution to a
parameter that is not active is never emitted, nor are the temporaries only it uses.
"""

from __future__ import annotations

import ast
import functools
import inspect
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from myia.errors import NotDifferentiable


@dataclass(frozen=True)
class Contribution:
    """`d[parameter] += value`, or `d[parameter][index] += value`; `sign` is -1 for `-=`."""

    parameter: str
    index: ast.expr | None
    sign: int
    value: ast.expr


@dataclass(frozen=True)
class Temporary:
    """`name = value`, for what several contributions share."""

    name: str
    value: ast.expr


@dataclass(frozen=True, eq=False)
class Rule:
    """One row of the table of derivatives.

    `broadcast`: the operation is elementwise and broadcasts, so that every contribution is summed
    back to its parameter's shape. `result`: how the type of the result is found (`parse/infer.py`).
    """

    template: Callable[..., None]
    broadcast: bool
    result: str

    @property
    def name(self) -> str:
        return self.template.__name__

    @functools.cached_property
    def output(self) -> str:
        return next(iter(inspect.signature(self.template).parameters))

    @functools.cached_property
    def signature(self) -> inspect.Signature:
        """The operation's own parameters."""
        parameters = list(inspect.signature(self.template).parameters.values())
        return inspect.Signature(parameters[1:])

    @functools.cached_property
    def body(self) -> tuple[Contribution | Temporary, ...]:
        return tuple(_statements(self))

    def bind(self, *args: Any, **kwargs: Any) -> inspect.BoundArguments:
        """Match a call's arguments with the parameters, defaults filled in.

        Raises TypeError for a parameter that the rule does not have, as any call would.
        """
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound


d: Any = None  # the name of adjoints inside templates; never evaluated

RULES: dict[object, Rule] = {}
"""The rule of each function, operator or method."""

SCALAR_RULES: dict[object, Rule] = {}
"""Rules preferred when every operand is a Python or NumPy scalar: no calls for arithmetic."""

INACTIVE: dict[object, str] = {}
"""Functions whose result has no derivative, each with the type of its result."""


def adjoint(
    *functions: object, broadcast: bool = False, scalar: bool = False, result: str = "example"
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register the decorated template as the derivative of `functions`.

    `result` says how the type of the result is found: "example" runs the operation on arrays of ones
    of the operands' types, which is right when the rank of the result does not depend on values;
    "unranked" does so and forgets the rank; "float", "int", "bool", "str" and "any" name it.
    """

    def register(template: Callable[..., None]) -> Callable[..., None]:
        rule = Rule(template, broadcast, result)
        table = SCALAR_RULES if scalar else RULES
        for function in functions:
            if function in table:
                raise ValueError(f"two derivative rules for {function!r}")
            table[function] = rule
        return template

    return register


def elementwise(*functions: object, result: str = "example") -> Callable[..., Any]:
    """`adjoint` for an operation that broadcasts its operands."""
    return adjoint(*functions, broadcast=True, result=result)


def on_scalars(*functions: object, result: str = "example") -> Callable[..., Any]:
    """`adjoint` for Python and NumPy scalars; the general rule serves everything else."""
    return adjoint(*functions, scalar=True, result=result)


def inactive(*functions: object, result: str = "any") -> None:
    """Register functions whose result has no derivative."""
    for function in functions:
        INACTIVE[function] = result


def run_template(
    rule: Rule, result: Any, args: tuple[Any, ...], kwargs: dict[str, Any], d_result: Any, wanted: set[str]
) -> dict[str, Any]:
    """Evaluate a template on values: the adjoints of the parameters named in `wanted`.

    The compiler inlines templates instead; this serves calls whose function is known only when they
    run, and the tests of the rules themselves.
    """
    return _compiled(rule, frozenset(wanted))(result, rule.bind(*args, **kwargs).arguments, d_result)


@functools.cache
def _compiled(rule: Rule, wanted: frozenset[str]) -> Callable[[Any, dict[str, Any], Any], dict[str, Any]]:
    from myia import runtime

    rt: Any = runtime

    def evaluate(tree: ast.expr) -> Callable[[dict[str, Any]], Any]:
        code = compile(ast.Expression(_NameTheAdjoints().visit(tree)), f"<rule {rule.name}>", "eval")
        names: dict[str, Any] = {"rt": rt, "np": np, "math": math}
        return lambda scope: eval(code, names, scope)  # noqa: S307 - our own templates

    steps: list[tuple[Contribution | Temporary, Any, Any]] = []
    for step in rule.body:
        if isinstance(step, Temporary):
            steps.append((step, evaluate(step.value), None))
        elif step.parameter in wanted:
            steps.append((step, evaluate(step.value), evaluate(step.index) if step.index else None))

    def run(result: Any, arguments: dict[str, Any], d_result: Any) -> dict[str, Any]:
        scope = {**arguments, rule.output: result, "d_result": d_result}
        adjoints: dict[str, Any] = {}
        for step, value, index in steps:
            if isinstance(step, Temporary):
                scope[step.name] = value(scope)
                continue
            operand = arguments[step.parameter]
            term = value(scope)
            if step.sign < 0:
                term = rt.negate(term)
            if rule.broadcast:
                term = rt.unbroadcast(term, operand)
            if index is not None:
                shadow = adjoints.setdefault(step.parameter, rt.zeros_like(operand))
                adjoints[step.parameter] = rt.add_at(shadow, index(scope), term)
            elif step.parameter in adjoints:
                adjoints[step.parameter] = rt.accumulate(adjoints[step.parameter], term)
            else:
                adjoints[step.parameter] = term
        return adjoints

    return run


class _NameTheAdjoints(ast.NodeTransformer):
    """Write `d[y]` as the name `d_result`, on a copy."""

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        if isinstance(node.value, ast.Name) and node.value.id == "d":
            return ast.copy_location(ast.Name("d_result", ast.Load()), node)
        return ast.copy_location(
            ast.Subscript(self.visit(node.value), self.visit(node.slice), node.ctx), node
        )

    def generic_visit(self, node: ast.AST) -> ast.AST:
        fields = {name: _map(self.visit, value) for name, value in ast.iter_fields(node)}
        return ast.copy_location(type(node)(**fields), node)


def _map(visit: Callable[[ast.AST], Any], value: Any) -> Any:
    if isinstance(value, list):
        return [_map(visit, item) for item in value]
    return visit(value) if isinstance(value, ast.AST) else value


def _statements(rule: Rule) -> Iterator[Contribution | Temporary]:
    for statement in _source_of(rule.template).body:
        match statement:
            case ast.Expr(ast.Constant(str())):
                continue
            case ast.Assign([ast.Name(name)], value):
                yield Temporary(name, value)
            case ast.AugAssign(
                ast.Subscript(ast.Name("d"), ast.Name(parameter)), ast.Add() | ast.Sub(), value
            ):
                yield Contribution(parameter, None, _sign(statement.op), value)
            case ast.AugAssign(
                ast.Subscript(ast.Subscript(ast.Name("d"), ast.Name(parameter)), index),
                ast.Add() | ast.Sub(),
                value,
            ):
                yield Contribution(parameter, index, _sign(statement.op), value)
            case _:
                raise SyntaxError(f"the template of {rule.name} holds {ast.unparse(statement)!r}")


def _sign(operator: ast.operator) -> int:
    return 1 if isinstance(operator, ast.Add) else -1


def _source_of(template: Callable[..., None]) -> ast.FunctionDef:
    code = template.__code__
    return _definitions(code.co_filename)[template.__name__, code.co_firstlineno]


@functools.cache
def _definitions(filename: str) -> dict[tuple[str, int], ast.FunctionDef]:
    """The functions of a rule file by name and first line, decorators included."""
    with open(filename, encoding="utf-8") as file:
        tree = ast.parse(file.read(), filename)
    definitions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {(node.name, _first_line(node)): node for node in definitions}


def _first_line(node: ast.FunctionDef) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def refuse_complex(function: str) -> NotDifferentiable:
    """The refusal for a complex value that matters for a gradient."""
    return NotDifferentiable(
        f"{function} meets a complex value that the gradient depends on",
        reason="Myia differentiates real numbers; the derivative of a complex value needs a convention",
        remedy="compute with the real and the imaginary part as two real arrays",
    )
