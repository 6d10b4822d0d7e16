"""Writes in place that cannot be followed are refused wherever they hide, all others are followed."""

from __future__ import annotations

import heapq
import operator

import numpy as np
import pytest

from myia import grad
from myia.errors import MyiaError, UnsupportedMutation

REGISTRY: list[float] = []


def appends(x):
    items = [x]
    items.append(x)  # written
    return sum(items)


def sorts_in_place(x):
    x.sort()  # written
    return x[0]


def fills_through_a_function(x):
    np.copyto(x, 0.0)  # written
    return x.sum()


def gives_out(x):
    y = np.zeros(3)
    np.add(x, x, out=y)  # written
    return y.sum()


def gives_out_by_position(x):
    y = np.zeros(3)
    np.add(x, x, y)  # written
    return y.sum()


def gives_out_to_a_method(x):
    y = np.zeros(())
    x.sum(None, None, y)  # written
    return y[()]


def ufunc_at(x):
    np.add.at(x, [0, 0], 1.0)  # written
    return x.sum()


def operator_module(x):
    operator.iadd(x, 1.0)  # written
    return x.sum()


def unbound_method(x):
    items = [1.0]
    list.append(items, 2.0)  # written
    return x.sum() + len(items)


def heap(x):
    items = [3.0, 1.0]
    heapq.heapify(items)  # written
    return x.sum() * items[0]


def bound_method_kept(x):
    items = []
    add = items.append  # written
    add(1.0)
    return x.sum()


def helper(values):
    values.append(1.0)  # written
    return len(values)


def in_a_callee(x):
    return x.sum() * helper([1.0])


def logs():
    REGISTRY.append(1.0)  # written
    return 1.0


def callee_writes_a_global(x):
    return x.sum() * logs()


def augments_an_array(x):
    y = x * 2.0
    y += 1.0  # written
    return y.sum()


def shuffled(x):
    np.random.default_rng(0).shuffle(x)  # written
    return x[0]


WRITES = [
    gives_out_to_a_method,
    bound_method_kept,
    callee_writes_a_global,
    shuffled,
]


FOLLOWED = [
    (sorts_in_place, [0.0, 1.0, 0.0]),
    (fills_through_a_function, [0.0, 0.0, 0.0]),
    (gives_out, [2.0, 2.0, 2.0]),
    (gives_out_by_position, [2.0, 2.0, 2.0]),
    (ufunc_at, [1.0, 1.0, 1.0]),
    (operator_module, [1.0, 1.0, 1.0]),
    (unbound_method, [1.0, 1.0, 1.0]),
    (heap, [1.0, 1.0, 1.0]),
    (in_a_callee, [2.0, 2.0, 2.0]),
    (augments_an_array, [2.0, 2.0, 2.0]),
]


@pytest.mark.parametrize("function, expected", FOLLOWED)
def test_a_write_in_place_is_followed(function, expected):
    x = np.array([3.0, 1.0, 2.0])
    assert grad(function)(x).tolist() == expected
    assert x.tolist() == [3.0, 1.0, 2.0]


@pytest.mark.parametrize("function", WRITES)
def test_a_write_in_place_is_refused(function):
    x = np.array([3.0, 1.0, 2.0])
    with pytest.raises(UnsupportedMutation) as caught:
        grad(function)(x)
    assert "written" in caught.value.location.text
    assert x.tolist() == [3.0, 1.0, 2.0]
    assert REGISTRY == []


def method_of_the_same_name(x):
    class_like = {"append": 2.0}
    return x.sum() * class_like["append"]


class Bag:
    def append(self, x):
        return x * 2.0

    def fill(self):
        return 3.0


BAG = Bag()


def methods_of_the_users(x):
    return BAG.append(x).sum() * BAG.fill()


def sorted_copy(x):
    return np.sort(x)[0] + sorted([1.0, 2.0])[0] * x.sum()


def out_is_none(x):
    return x.sum() * np.add(1.0, 2.0, out=None)


def scalars_are_rebound(x):
    y = x[0]
    y += 1.0
    y *= x[1]
    label = "a"
    label += "b"
    pair = (1.0,)
    pair += (2.0,)
    return y * len(pair) * len(label)


def reads_a_global(x):
    return x.sum() * (1.0 + len(REGISTRY))


@pytest.mark.parametrize(
    "function, expected",
    [
        (method_of_the_same_name, [2.0, 2.0]),
        (methods_of_the_users, [6.0, 6.0]),
        (sorted_copy, [1.0, 2.0]),
        (out_is_none, [3.0, 3.0]),
        (scalars_are_rebound, [4.0, 16.0]),
        (reads_a_global, [1.0, 1.0]),
    ],
)
def test_what_only_looks_like_a_write_is_fine(function, expected):
    assert grad(function)(np.array([3.0, 1.0])).tolist() == expected


class WithState:
    def __init__(self, state):
        self.state = state


@pytest.mark.parametrize("other", [WithState(1.0), BAG, np.ones(2), [1.0]], ids=lambda x: type(x).__name__)
def test_a_class_that_is_only_asked_about_is_not_called(other):
    def f(x, other):
        return x * 2.0 if isinstance(other, WithState) else x

    assert grad(f)(1.0, other) == (2.0 if isinstance(other, WithState) else 1.0)


def test_the_message_says_what_to_do():
    with pytest.raises(MyiaError) as caught:
        grad(callee_writes_a_global)(np.ones(2))
    assert caught.value.summary == "'REGISTRY', which is not the function's own, is written in place"
    assert "pass REGISTRY as an argument" in caught.value.remedy


def test_a_list_of_the_functions_own_grows():
    assert grad(appends)(1.0) == 2.0
