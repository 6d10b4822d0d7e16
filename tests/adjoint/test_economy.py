"""What is computed again or kept as a shape instead of being saved; and that it stays right."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from myia import grad
from tests.check import check_gradient


def saved(function, *args, wrt=0) -> set[str]:
    """The variables with a stack."""
    source = grad(function, wrt=wrt).source_for(*args)
    return set(re.findall(r"\b(\w+)_saved\b", source))


def scaled_items(x, items):
    total = 0.0
    for item in items:
        total = total + math.sin(x * item)
    return total


def difference_of_data(x, a, b):
    total = 0.0
    for k in range(len(a)):
        gap = a[k] - b[k]
        total = total + x * gap
    return total


def nested_items(x, rows):
    total = 0.0
    for row in rows:
        for item in row:
            total = total + math.exp(x * item)
    return total


def expensive(x, n):
    total = 0.0
    for k in range(n):
        root = math.sqrt(x + k)
        total = total + root * root * root
    return total


def operand_changes(x, n):
    y = x
    total = 0.0
    for k in range(n):
        twice = y * x
        y = math.sin(twice) * twice
        total = total + y * twice
    return total


def broadcast_rows(b, rows):
    total = 0.0
    for row in rows:
        shifted = row * b + b
        total = total + np.sum(np.sin(shifted))
    return total


def outer_products(w, rows):
    h = np.zeros(3)
    for row in rows:
        h = np.tanh(w @ h + row)
    return h.sum()


ITEMS, ROWS = [0.5, 1.5, -1.0], np.arange(6.0).reshape(2, 3) / 10.0


def test_products_of_numbers_and_items_are_computed_again():
    assert saved(scaled_items, 0.5, ITEMS) == set()
    assert saved(difference_of_data, 0.5, ITEMS, ITEMS) == set()


def test_what_costs_more_than_saving_is_saved():
    assert "root" in saved(expensive, 0.5, 3)


def test_of_an_array_asked_for_its_shape_only_the_shape_is_saved():
    names = saved(broadcast_rows, np.ones(3), ROWS)
    assert names == {"sin_form"}


def test_outer_products_are_summed_in_blocks():
    source = grad(outer_products).source_for(np.eye(3), ROWS)
    assert "rt.OuterSum(d_w)" in source
    assert ".finish()" in source


@pytest.mark.parametrize(
    "function, args",
    [
        (scaled_items, (0.5, ITEMS)),
        (scaled_items, (0.5, [])),
        (difference_of_data, (0.5, ITEMS, [1.0, 2.0, 3.0])),
        (nested_items, (0.5, [[1.0], [], [0.5, 2.0]])),
        (expensive, (0.5, 4)),
        (operand_changes, (0.5, 4)),
        (broadcast_rows, (np.ones(1), ROWS)),
        (broadcast_rows, (np.ones(3), ROWS)),
        (outer_products, (np.eye(3) * 0.3, ROWS)),
        (outer_products, (np.eye(3) * 0.3, ROWS[:0])),
    ],
)
def test_right_all_the_same(function, args):
    check_gradient(function, args, analytic=False)


# -- what may not be computed again -----------------------------------------------------------------


def squares_itself(x, n):
    for _ in range(n):
        x = x * x
    return x


def squares_itself_in_a_branch(x, n):
    for k in range(n):
        if k != 1:
            x = x * x
    return x


def squares_itself_while(x, n):
    k = 0
    while k < n:
        x = x * x
        k = k + 1
    return x


def adds_itself(x, n):
    for _ in range(n):
        x = x + x
        x = math.sin(x)
    return x


def factor_times_itself(x, n):
    y, c, b = 0.7 * x, 0.3 * x, x
    for _ in range(n):
        c = (y * x) * c
        b = b * c
    return b + c


def two_that_feed_each_other(x, n):
    a, b = x, 1.1
    for _ in range(n):
        a = a * b
        b = a - b
    return a * b


def operand_written_before(x, n):
    y, total = x, 0.0
    for _ in range(n):
        y = math.sin(y)
        twice = y * x
        total = total + twice * twice
        y = y * 1.1
    return total


def operand_written_in_a_branch(x, n):
    y, total = x, 0.0
    for k in range(n):
        twice = y * x
        if twice > 0.3:
            y = math.cos(twice)
        total = total + twice * twice * y
    return total


@pytest.mark.parametrize(
    "function",
    [
        squares_itself,
        squares_itself_in_a_branch,
        squares_itself_while,
        adds_itself,
        factor_times_itself,
        two_that_feed_each_other,
        operand_written_before,
        operand_written_in_a_branch,
    ],
)
@pytest.mark.parametrize("n", [0, 1, 2, 4])
def test_a_value_made_from_what_changes_is_right(function, n):
    check_gradient(function, (1.05, n), analytic=False)
