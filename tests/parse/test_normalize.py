"""The normal form: its shape, for every program of the table, and its meaning and text for a few."""

from __future__ import annotations

import inspect
import math
import re

import numpy as np
import pytest

from myia.errors import UnsupportedMutation, UnsupportedSyntax
from myia.parse.normalize import normalize, show
from myia.parse.source import python_function
from tests.parse.normal_form import run, violations
from tests.programs import PROGRAMS

SCALE = 3.0


def shown(function):
    """The lines of the body."""
    return [line.strip() for line in show(normalize(function)).splitlines()[1:]]


@pytest.mark.parametrize("row", PROGRAMS, ids=repr)
def test_every_program_is_in_normal_form(row):
    program = normalize(python_function(row.function)[0])
    assert violations(program) == []


PLAIN = [
    row
    for row in PROGRAMS
    if inspect.isfunction(row.function)
    and row.function.__closure__ is None
    and not row.kwargs
    and all(p.kind is p.POSITIONAL_OR_KEYWORD for p in inspect.signature(row.function).parameters.values())
    and len(row.args) == len(inspect.signature(row.function).parameters)
]


@pytest.mark.parametrize("row", PLAIN, ids=repr)
def test_the_normal_form_means_the_same(row):
    rewritten = run(normalize(row.function))
    assert np.array_equal(rewritten(*row.args), row.function(*row.args))


def test_the_check_of_the_meaning_covers_most_programs():
    assert len(PLAIN) > 0.7 * len(PROGRAMS)


def test_nested_calls_get_names():
    def f(x):
        return math.exp(math.sin(x) + 2 * x)

    assert shown(f) == [
        "sin = math.sin(x)",
        "product = 2 * x",
        "total = sin + product",
        "exp = math.exp(total)",
        "return exp",
    ]


def test_a_condition_is_evaluated_only_if_it_decides():
    def f(x, y):
        return x > 0 and 1 / y > 2

    assert shown(f) == [
        "test = x > 0",
        "decided = test",
        "if decided:",
        "quotient = 1 / y",
        "test = quotient > 2",
        "return test",
    ]


def test_operands_are_evaluated_once_and_in_order():
    order = []

    def seen(value):
        order.append(value)
        return value

    def f():
        return seen(1) < seen(2) < seen(3) > seen(9) > seen(4)

    assert run(normalize(f))() is False
    assert order == [1, 2, 3, 9]
    order.clear()

    def g():
        return {seen(1): seen(2)}, [seen(3), *(seen(4), seen(5))], seen(6) if seen(7) else seen(8)

    assert run(normalize(g))() == ({1: 2}, [3, 4, 5], 6)
    assert order == [1, 2, 3, 4, 5, 7, 6]


def test_generated_names_avoid_the_users():
    def f(x, total, product):
        test = x * total + product
        return test if test > 0.0 else total

    assert run(normalize(f))(2.0, 3.0, 4.0) == 10.0
    assert run(normalize(f))(2.0, -3.0, 4.0) == -3.0


def test_names_of_emitted_code_are_renamed():
    def f(rt, np, math):
        reversed = rt * 2
        return reversed + np + math

    program = normalize(f)
    assert run(program)(1, 2, 3) == 7
    assert not {"rt", "np", "math"} & set(program.arguments)
    assert not re.search(r"\breversed\b", show(program))


def test_a_comprehension_has_its_own_variables():
    def f(x):
        k = x
        items = [k * j for k in range(3) for j in range(k)]
        return k + sum(items)

    assert run(normalize(f))(10) == f(10)


def test_parallel_assignment_reads_before_it_writes():
    def f(a, b):
        a, b = b, a + b
        b, a = a, b
        return a * 100 + b

    assert run(normalize(f))(1, 2) == f(1, 2)


def test_globals_and_modules_are_told_apart():
    def f(x):
        return SCALE * np.sin(x) + math.pi

    program = normalize(f)
    assert set(program.inputs) >= {"SCALE"}
    assert program.constants["np.sin"] is np.sin
    assert "np.sin" not in program.inputs


def test_captures_of_nested_functions():
    def f(x, scale):
        def outer(v):
            def inner(w):
                return w * scale

            return inner(v)

        return outer(x)

    program = normalize(f)
    assert program.nested["outer"].captures == ("scale",)
    assert program.nested["outer"].nested["inner"].captures == ("scale",)


def test_defaults_are_live_values():
    def f(x, *rest, scale=2.0, **named):
        return x * scale

    x, scale, rest, named = normalize(f).parameters
    assert (x.name, x.optional) == ("x", False)
    assert (scale.name, scale.optional, scale.default) == ("scale", True, 2.0)
    assert (rest.name, named.name) == ("rest", "named")


def test_private_names_of_methods():
    class Model:
        def __init__(self):
            self.__weight = 3.0

        def loss(self, x):
            return self.__weight * x

    assert run(normalize(Model.loss))(Model(), 2.0) == 6.0


def test_writes_in_the_normal_form():
    def f(x, box, n):
        x[n + 1] = n * 2.0
        x[0, 1:n] -= box.a
        box.a *= 2.0
        x += n
        x[0], x[1] = x[1], x[0]
        return x

    assert show(normalize(f)).splitlines()[1:] == [
        "    product = n * 2.0",
        "    total = n + 1",
        "    x[total] = product",
        "    a = box.a",
        "    x[0, 1:n] -= a",
        "    a_2 = box.a",
        "    a_3 = rt.imul(a_2, 2.0)",
        "    box.a = a_3",
        "    x = rt.iadd(x, n)",
        "    item = x[1]",
        "    item_2 = x[0]",
        "    x[0] = item",
        "    x[1] = item_2",
        "    return x",
    ]


def test_out_is_a_store_in_the_normal_form():
    def f(x, y):
        return np.multiply(x, x, out=y)

    assert show(normalize(f)).splitlines()[1:] == [
        "    multiply_2 = np.multiply(x, x)",
        "    rt.castable(multiply_2, y)",
        "    y[...] = multiply_2",
        "    multiply = y",
        "    return multiply",
    ]


def test_attributes_of_modules_and_classes_are_not_written():
    def f(x):
        np.pi = x
        return x

    with pytest.raises(UnsupportedMutation, match="an attribute of a module"):
        normalize(f)


def test_unknown_syntax_is_refused_while_parsing():
    def f(x):
        with x:
            return 1

    with pytest.raises(UnsupportedSyntax, match="with is not supported"):
        normalize(f)
