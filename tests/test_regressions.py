"""Bugs that were not of one program's value: changing names, exceptions, order of effects, messages."""

from __future__ import annotations

import re

import numpy as np
import pytest

from myia import grad, value_and_grad
from myia.errors import MyiaError
from tests import refused_regressions

# -- a builtin that a global hides after the first call (as `from numpy import *` does) ---------------


def asks_length(x):
    return x[0] * len(x)


def loops_over_range(x):
    y = x[0]
    for _ in range(2):
        y = y * x[1]
    return y


def takes_absolute(x):
    return abs(x[0]) * x[1]


def takes_largest(x):
    return max(x[0], x[1])


def takes_sum(x):
    return sum(x)


@pytest.mark.parametrize(
    "name, function, other",
    [
        ("len", asks_length, lambda v: 10),
        ("range", loops_over_range, lambda n: [0]),
        ("abs", takes_absolute, lambda v: v * 5.0),
        ("max", takes_largest, lambda a, b: a * b),
        ("sum", takes_sum, lambda v: v[0] * v[1]),
    ],
)
def test_a_builtin_hidden_after_the_first_call(name, function, other, monkeypatch):
    gradient = value_and_grad(function)
    x = [1.5, 2.0]
    before = gradient(x)
    monkeypatch.setitem(globals(), name, other)
    hidden = gradient(x)
    assert hidden[0] == function(x)
    assert hidden == value_and_grad(function)(x) != before
    monkeypatch.undo()
    assert gradient(x) == before


# -- a method that is replaced ------------------------------------------------------------------------


class Model:
    def act(self, x):
        return x

    @staticmethod
    def fixed(x):
        return x * 2.0


MODEL = Model()


def acts(x):
    return MODEL.act(x) * MODEL.fixed(x)


def test_replaced_methods_are_noticed(monkeypatch):
    gradient = value_and_grad(acts)
    assert gradient(3.0) == (18.0, 12.0)
    monkeypatch.setattr(Model, "act", lambda self, x: x * x)
    assert gradient(3.0) == (54.0, 54.0)
    monkeypatch.setattr(Model, "fixed", staticmethod(lambda x: 1.0))
    assert gradient(3.0) == (9.0, 6.0)
    monkeypatch.setattr(MODEL, "act", lambda x: 5.0 * x, raising=False)
    assert gradient(3.0) == (15.0, 5.0)


# -- exceptions are the program's own -----------------------------------------------------------------


def helper(a, b):
    return a * b


def too_few(x):
    return helper(x) * 2.0


def too_many(x):
    return helper(x, x, x) * 2.0


def unknown_keyword(x):
    return helper(x, b=x, c=x) * 2.0


def given_twice(x):
    return helper(x, x, b=x)


def unpacks_too_few(x):
    a, b, c = [x, x]
    return a * b * c


def unpacks_too_many(x):
    a, b = [x, x, x]
    return a * b


def no_such_key(x):
    return {"a": x}["b"] * x


def unbound_at_the_end(x):
    for k in range(0):
        y = x * k
    return y * x


def unbound_deleted_by_the_branch(x):
    if x > 5.0:
        best = None
    if best is None:
        best = x
    return best * x


FAILING = [
    too_few,
    too_many,
    unknown_keyword,
    given_twice,
    unpacks_too_few,
    unpacks_too_many,
    no_such_key,
    unbound_at_the_end,
    unbound_deleted_by_the_branch,
]


@pytest.mark.parametrize("function", FAILING, ids=lambda f: f.__name__)
def test_a_failing_program_fails_as_in_python(function):
    with pytest.raises(Exception) as plain:  # noqa: PT011 - whatever Python raises
        function(1.3)
    with pytest.raises(type(plain.value)) as caught:
        grad(function)(1.3)
    assert not isinstance(caught.value, MyiaError)


class Reciprocal:
    def __call__(self, x):
        return 1.0 / x


def test_an_object_without_a_name():
    gradient = grad(Reciprocal())
    assert "Reciprocal" in repr(gradient)
    with pytest.raises(ZeroDivisionError):
        gradient(0.0)


# -- the order of side effects ------------------------------------------------------------------------


def says(word, value):
    print(word)
    return value


def formats(x):
    text = f"{says('value', 1.5):{says('width', 8)}.{says('digits', 2)}f}"
    return x * len(text)


def compares_with_walrus(x):
    y = x
    if says("old", y) < (y := says("new", y * 2.0)) < says("limit", 9.0):
        y = y * x
    return y


def iterates_in_order(x):
    y = 0.0
    for k, v in enumerate(says("items", [x, x * x]), says("start", 2)):
        y = y + says("turn", k) * v
    return y


def displays_in_order(x):
    table = {says("a", "a"): says("one", x), **says("more", {"b": x * x}), says("c", "c"): says("two", x)}
    return table["a"] * table["b"]


@pytest.mark.parametrize("function", [formats, compares_with_walrus, iterates_in_order, displays_in_order])
def test_side_effects_keep_their_order(function, capsys):
    value = function(1.3)
    expected = capsys.readouterr().out
    assert value_and_grad(function)(1.3)[0] == value
    assert capsys.readouterr().out == expected


# -- messages speak of the user's program -------------------------------------------------------------

ROWS = pytest.mark.parametrize("row", refused_regressions.REFUSED, ids=repr)


@ROWS
def test_a_refusal_does_not_talk_of_our_inside(row):
    with pytest.raises(MyiaError) as caught:
        grad(row.function, wrt=row.wrt)(*row.args)
    assert not re.search(r"in the derivative rule|\brt\.|myia\.|_grad\.|<locals>|myia/", str(caught.value))


def calls_fourier(x):
    return np.abs(np.fft.fft(x)).sum()


def test_a_function_is_called_what_the_program_calls_it():
    with pytest.raises(MyiaError, match=r"np\.fft\.fft has no derivative rule"):
        grad(calls_fourier)(np.ones(3))
