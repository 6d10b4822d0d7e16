"""Programs that are refused, each with the error, and the mark `# refused` on the line it names.

`Refusal(name, function, error, args..., at=...)`: `at` is text that the carets must touch.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from myia.errors import (
    MissingRule,
    MyiaError,
    NonScalarOutput,
    NotDifferentiable,
    RecursionDepth,
    SourceUnavailable,
    UnknownArgument,
    UnsupportedMutation,
    UnsupportedSyntax,
)
from tests.check import Wrt

COUNT = 0
STATE = {"x": 1.0}
LIST = [1.0]
ARRAY = np.ones(3)


class Box:
    def __init__(self, value):
        self.value = value


BOX = Box(1.0)


class Refusal:
    """A program, the error it is refused with, and the text under the carets."""

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        error: type[MyiaError],
        *args: Any,
        at: str = "",
        wrt: Wrt = 0,
    ) -> None:
        self.name, self.function, self.error, self.args = name, function, error, args
        self.at, self.wrt = at, wrt

    def __repr__(self) -> str:
        return self.name


# -- syntax -------------------------------------------------------------------------------------


def generator_in_sum(items):
    return sum(v * v for v in items)  # refused


def generator_bound(x):
    squares = (x * k for k in range(3))  # refused
    return sum(squares)


def generator_function(x):
    yield x  # refused


def yields_from(x):
    yield from [x, x]  # refused


def yield_value(x):
    y = yield x * x  # refused
    return y


def calls_generator_function(x):
    y = 0.0
    for v in produces(x):
        y = y + v
    return y


def produces(x):
    for k in range(3):
        yield x * k  # refused


async def async_function(x):  # refused
    return x * x


async def awaits(x):
    return await async_function(x)


def writes_global(x):
    global COUNT  # refused
    COUNT = COUNT + 1
    return x * COUNT


def writes_global_in_helper(x):
    return bump(x) * x


def bump(x):
    global COUNT  # refused
    COUNT += 1
    return x


def writes_nonlocal(x):
    total = 0.0

    def add(v):
        nonlocal total  # refused
        total = total + v

    add(x)
    return total


def tries(x):
    try:  # refused
        y = 1.0 / x
    except ZeroDivisionError:
        y = 0.0
    return y


def tries_finally(x):
    y = x
    try:  # refused
        y = y * x
    finally:
        y = y * 2.0
    return y


def uses_with(x):
    with contextlib.nullcontext(x) as y:  # refused
        z = y * x
    return z


def defines_class(x):
    class Pair:  # refused
        pass

    return x


def deletes_name(x):
    y = x * x
    del y  # refused
    return x


def deletes_item(x):
    items = {"a": x, "b": x}
    del items["a"]  # refused
    return items["b"]


def imports_inside(x):
    import math as m  # refused

    return m.sin(x)


def imports_from_inside(x):
    from math import sin  # refused

    return sin(x)


def matches(x, kind):
    match kind:  # refused
        case "square":
            return x * x
        case _:
            return x


def refused_in_loop_in_branch(x):
    y = x
    if x > 0.0:
        for k in range(3):
            y = y * x
            with contextlib.nullcontext():  # refused
                y = y + k
    return y


def refused_in_helper(x):
    return has_try(x * 2.0)


def has_try(x):
    try:  # refused
        return x * x
    except ValueError:
        return x


def refused_in_nested_definition(x):
    def inner(v):
        return sum(v * w for w in [1.0, 2.0])  # refused

    return inner(x)


def refused_in_lambda(x):
    f = lambda v: sum(v * w for w in [1.0, 2.0])  # refused  # noqa: E731
    return f(x)


# -- in-place writes ----------------------------------------------------------------------------


def augments_attribute(x):
    BOX.value += x  # refused
    return x


def stores_attribute(x):
    BOX.value = x * x  # refused
    return BOX.value


# -- functions without a rule, or without a source ------------------------------------------------


def transforms_fourier(x):
    y = x * 2.0
    return np.abs(np.fft.fft(y)).sum()  # refused


def finds_unique(x):
    return np.unique(x).sum()  # refused


def missing_rule_in_helper(x):
    return correlated(x).sum()


def correlated(x):
    return np.correlate(x, x)  # refused


def missing_rule_through_name(x):
    f = np.unique
    return f(x).sum()  # refused


def missing_rule_through_argument(x):
    return applied(np.unique, x)


def applied(f, x):
    return f(x).sum()  # refused


def missing_method(x):
    return x.searchsorted(x).sum() + x.view(np.int64).sum()  # refused


def unsupported_keyword(x):
    return np.sum(x, where=np.array([True, False, True]))  # refused


def evaluates(x):
    return eval("x * x")  # refused


def executes(x):
    exec("y = x")  # refused  # noqa: S102
    return x


def looks_at_locals(x):
    return locals()["x"] * x  # refused


class Above:
    def doubled(self, x):
        return 2.0 * x


class Below(Above):
    def doubled(self, x):
        return super().doubled(x) * x  # refused


def uses_super(x):
    return Below().doubled(x)


NAMESPACE: dict[str, Any] = {}
exec("def without_source(x):\n    return x * x\n", NAMESPACE)  # noqa: S102
without_source = NAMESPACE["without_source"]


def calls_without_source(x):
    return without_source(x) * 2.0  # refused


# -- values that have no derivative -------------------------------------------------------------


def returns_array(x):
    return x * 2.0  # refused


def returns_tuple(x):
    return x.sum(), x  # refused


def returns_none(x):
    x.sum()


def returns_string(x):
    return "result"  # refused


def returns_complex(x):
    return x * 1j  # refused


def returns_array_early(x):
    if x[0] > 0.0:
        return x  # refused
    return x.sum()


def square(x):  # refused
    return x * x


def two_arguments(x, n):  # refused
    return x * n


def becomes_complex(x):
    z = x * np.exp(1j * x)  # refused
    return (z * z.conj()).real


def endless(x):
    return endless(x * 0.5) + x


def deep(x, n):
    if n == 0:
        return x
    return deep(x, n - 1) * 0.999


V = np.array([0.5, -0.2, 0.9])

REFUSED = [
    Refusal("generator_in_sum", generator_in_sum, UnsupportedSyntax, [1.0, 2.0], at="v * v for v in items"),
    Refusal("generator_bound", generator_bound, UnsupportedSyntax, 1.3, at="(x * k for k in range(3))"),
    Refusal("generator_function", generator_function, UnsupportedSyntax, 1.3, at="yield x"),
    Refusal("yields_from", yields_from, UnsupportedSyntax, 1.3, at="yield from [x, x]"),
    Refusal("yield_value", yield_value, UnsupportedSyntax, 1.3, at="yield x * x"),
    Refusal("calls_generator_function", calls_generator_function, UnsupportedSyntax, 1.3, at="yield x * k"),
    Refusal("async_function", async_function, UnsupportedSyntax, 1.3, at="async def"),
    Refusal("writes_global", writes_global, UnsupportedSyntax, 1.3, at="global COUNT"),
    Refusal("writes_global_in_helper", writes_global_in_helper, UnsupportedSyntax, 1.3, at="global COUNT"),
    Refusal("writes_nonlocal", writes_nonlocal, UnsupportedSyntax, 1.3, at="nonlocal total"),
    Refusal("tries", tries, UnsupportedSyntax, 1.3, at="try:"),
    Refusal("tries_finally", tries_finally, UnsupportedSyntax, 1.3, at="try:"),
    Refusal("uses_with", uses_with, UnsupportedSyntax, 1.3, at="with contextlib.nullcontext(x) as y:"),
    Refusal("defines_class", defines_class, UnsupportedSyntax, 1.3, at="class Pair:"),
    Refusal("deletes_name", deletes_name, UnsupportedSyntax, 1.3, at="del y"),
    Refusal("deletes_item", deletes_item, UnsupportedSyntax, 1.3, at='del items["a"]'),
    Refusal("imports_inside", imports_inside, UnsupportedSyntax, 1.3, at="import math as m"),
    Refusal("imports_from_inside", imports_from_inside, UnsupportedSyntax, 1.3, at="from math import sin"),
    Refusal("matches", matches, UnsupportedSyntax, 1.3, "square", at="match kind:"),
    Refusal("refused_in_loop_in_branch", refused_in_loop_in_branch, UnsupportedSyntax, 1.3, at="nullcontext"),
    Refusal("refused_in_helper", refused_in_helper, UnsupportedSyntax, 1.3, at="try:"),
    Refusal(
        "refused_in_nested_definition", refused_in_nested_definition, UnsupportedSyntax, 1.3, at="v * w for"
    ),
    Refusal("refused_in_lambda", refused_in_lambda, UnsupportedSyntax, 1.3, at="v * w for"),
    Refusal("augments_attribute", augments_attribute, UnsupportedMutation, 1.3, at="BOX.value"),
    Refusal("stores_attribute", stores_attribute, UnsupportedMutation, 1.3, at="BOX.value"),
    Refusal("transforms_fourier", transforms_fourier, MissingRule, V, at="np.fft.fft(y)"),
    Refusal("finds_unique", finds_unique, MissingRule, V, at="np.unique(x)"),
    Refusal("missing_rule_in_helper", missing_rule_in_helper, MissingRule, V, at="np.correlate(x, x)"),
    Refusal("missing_rule_through_name", missing_rule_through_name, MissingRule, V, at="f(x)"),
    Refusal("missing_rule_through_argument", missing_rule_through_argument, MissingRule, V, at="f(x)"),
    Refusal("missing_method", missing_method, MyiaError, V, at="x.view(np.int64)"),
    Refusal("unsupported_keyword", unsupported_keyword, MissingRule, V, at="np.sum(x, where="),
    Refusal("evaluates", evaluates, MyiaError, 1.3, at='eval("x * x")'),
    Refusal("executes", executes, MyiaError, 1.3, at='exec("y = x")'),
    Refusal("looks_at_locals", looks_at_locals, MyiaError, 1.3, at="locals()"),
    Refusal("uses_super", uses_super, MyiaError, 1.3, at="super()"),
    Refusal("calls_without_source", calls_without_source, SourceUnavailable, 1.3, at="without_source(x)"),
    Refusal("returns_array", returns_array, NonScalarOutput, V),
    Refusal("returns_tuple", returns_tuple, NonScalarOutput, V),
    Refusal("returns_none", returns_none, NonScalarOutput, V),
    Refusal("returns_string", returns_string, NonScalarOutput, 1.3),
    Refusal("returns_complex", returns_complex, MyiaError, 1.3),
    Refusal("returns_array_early", returns_array_early, NonScalarOutput, V),
    Refusal("integer_argument", square, NotDifferentiable, 3),
    Refusal("boolean_argument", square, NotDifferentiable, True),
    Refusal("integer_array_argument", square, NotDifferentiable, np.array(3)),
    Refusal("second_argument_is_an_integer", two_arguments, NotDifferentiable, 1.3, 2, wrt=(0, 1)),
    Refusal("string_argument", square, NotDifferentiable, "text"),
    Refusal("none_argument", square, NotDifferentiable, None),
    Refusal("complex_argument", square, NotDifferentiable, 1.0 + 2.0j),
    Refusal("complex_array_argument", square, NotDifferentiable, np.array(1.0 + 2.0j)),
    Refusal("object_array_argument", square, NotDifferentiable, np.array(None)),
    Refusal("unknown_name", square, UnknownArgument, 1.3, wrt="w"),
    Refusal("index_out_of_range", square, UnknownArgument, 1.3, wrt=3),
    Refusal("one_of_several_unknown", two_arguments, UnknownArgument, 1.3, 2.0, wrt=(0, "m")),
    Refusal("becomes_complex", becomes_complex, NotDifferentiable, 1.3),
    Refusal("endless_recursion", endless, RecursionDepth, 1.3),
    Refusal("deep_recursion", deep, RecursionDepth, 1.3, 100_000),
]

WITHOUT_SOURCE = {
    "builtin": (math.sin, 0.5),
    "numpy": (np.sum, np.ones(2)),
    "executed": (without_source, 0.5),
    "evaluated": (eval("lambda x: x * x"), 0.5),
}
"""Functions that have no source; a refusal of these has no line to name."""
