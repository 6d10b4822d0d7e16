"""Programs that write in place, or leave loops, and had a wrong gradient or were refused until a review."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.programs.inplace import InPlace
from tests.programs.table import matrix, vector

# -- an inner loop that is left by both sides of a branch: what chose the side must be recorded --------------


def both_sides_leave(x):
    y = 0.0 * x[0]
    for i in range(4):
        while True:
            if x[i].real > 0:
                y = y + x[1]
                break
            else:
                y = y + 3.0 * x[2]
                break
    return y


def both_sides_leave_and_write(x):
    y = x * 1.0
    for i in range(4):
        for j in range(3):
            if y[i].real > 0.1:
                y[i + 1] -= y[i]
                break
            y[i + 1] += 2.0 * y[i]
            break
    return y.sum()


def returns_or_leaves(x):
    y = x[0]
    for i in range(4):
        for j in range(3):
            y = y * x[1]
            if i == 2:
                return (y * x).sum()
            break
    return y


def leaves_by_three_ways(x):
    y = x[0] * 1.0
    for i in range(5):
        for j in range(4):
            y = y * x[i % 3]
            if j == i % 3:
                if y.real > 0.0:
                    y = y + x[3]
                    break
                y = y * x[4]
                break
            if j == 2:
                y = y - x[5]
                break
    return y


def leaves_after_the_test(x):
    y = x[0]
    for i in range(3):
        for k in range(3):
            if x[k].real > 0.3:
                y = y * x[k]
                if x[i].real > 0.0:
                    break
                y = np.sin(y)
                break
            y = y + x[k]
    return y


# -- a variable that a loop reads before its only assignment there -------------------------------------------


def argument_rebound_to_a_view(x):
    s = 0.0
    for k in range(3):
        s += (x * x).sum()
        x = x[::-1]
        x[0] *= 2.0
    return s


def the_row_before(x):
    y = x.reshape(3, 2) * 1.0
    s = 0.0
    for k in range(3):
        if k > 0:
            s += (prev * y[k]).sum()  # noqa: F821
        prev = y[k]
        prev[0] *= 2.0
    return s


def the_array_before(x):
    s = 0.0
    for k in range(3):
        if k > 0:
            v[0] *= v[1]  # noqa: F821
            s += (v * v).sum()  # noqa: F821
        v = x * (k + 1.0)
        v[2] *= 2.0
    return s


def the_row_before_added(x):
    m = x.reshape(3, 2) * 1.0
    for k, row in enumerate(m):
        if k > 0:
            row += prev  # noqa: F821
        prev = row
    return (m * m).sum()


def a_view_of_the_view_before(x):
    y = x * 1.0
    for k in range(3):
        if k > 0:
            w = v[1:]  # noqa: F821
            w *= 2.0
        v = y[k:]
    return (y * y).sum()


def views_that_grow_shorter(x):
    y = x * 1.0
    s = 0.0
    for k in range(3):
        if k > 0:
            s += (v * v).sum()  # noqa: F821
        v = y[k:]
        v[0] *= 2.0
    return (y * y).sum() + s


def bound_before_the_loop_too(x):
    y = x.reshape(3, 2) * 1.0
    prev = y[0]
    s = 0.0
    for k in range(3):
        s += (prev * y[k]).sum()
        prev = y[k]
        prev[1] *= x[0]
    return s


# -- rows that are written: what is restored must be the row of that iteration -------------------------------


def row_filled_with_its_sum(m):
    for k in range(len(m)):
        r = m[k]
        z = r * r
        r[...] = z.sum()
    return m.sum()


def row_multiplied_along_itself(m):
    for row in m:
        row[1:] = row[:-1] * row[1:]
    return m.sum()


def argument_assigned_in_the_loop(x, y):
    s = 0.0
    for _ in range(3):
        s = s + (x * y).sum()
        y = 2.0 * x
    return s


def argument_shortened_in_the_loop(x, y):
    s = 0.0
    for _ in range(3):
        z = x + y
        s += (z * z).sum()
        y = x[:1]
    return s


# -- infinite slopes of what is written over next ------------------------------------------------------------


def divided_by_zero_and_replaced(x, n):
    y = x * 1.0
    with_zero = y[0] * 0.0
    if n > 0.0:
        y[0] /= n
    else:
        y[0] = x[1] + with_zero
    return y.sum()


def list_subtracted_in_place(x):
    y = x[:2] * 1.0
    y -= [x[2], x[3]]
    return (y * y).sum()


def list_divides(x):
    y = x[:2] * 1.0
    y /= [x[2], x[3]]
    return y.sum()


def list_is_subtracted(x, c):
    return ((x - c) ** 2).sum()


def zero_dimensional_result(x):
    b = np.zeros((), x.dtype)
    for k in range(3):
        b += x[k] * x[k]
    return b


PLAIN = [0.5, 1.0, 2.0]
WEIGHTS = np.linspace(0.5, 1.0, 6)


def copy_of_a_global(x):
    v = np.array(WEIGHTS) + 0.0 * x
    w = np.array(WEIGHTS)
    v *= x
    return (v * w).sum()


def list_of_a_global(x):
    names = list(PLAIN)
    names.append(3.0)
    return x[0] * len(names)


X6 = np.array([0.5, -0.3, 0.8, 0.2, -0.6, 0.9])

def list_copied(x):
    items = [x * 1.0, x[1] * 2.0]
    other = items.copy()
    other[1] = other[1] * x[2]
    other[0][1] = x[0]
    other.append(x[2])
    return (items[0] * items[0]).sum() * items[1] + other[1] * other[2]


def table_copied(x):
    table = {"a": x[0], "b": x[1]}
    other = table.copy()
    other["a"] = other["a"] * x[2]
    return table["a"] * other["a"] + table["b"]


def table_written_by_its_keys(x):
    table = {"a": x[0], "b": x[1]}
    for k in list(table):
        table[k] = table[k] * x[2]
    return table["a"] * table["b"]


PROGRAMS: list[InPlace] = [
    InPlace("list_copied", list_copied, vector(3)),
    InPlace("table_copied", table_copied, vector(3)),
    InPlace("table_written_by_its_keys", table_written_by_its_keys, vector(3)),
    InPlace("both_sides_leave", both_sides_leave, X6),
    InPlace("both_sides_leave_and_write", both_sides_leave_and_write, X6),
    InPlace("returns_or_leaves", returns_or_leaves, X6),
    InPlace("leaves_by_three_ways", leaves_by_three_ways, X6),
    InPlace("leaves_after_the_test", leaves_after_the_test, X6),
    InPlace("argument_rebound_to_a_view", argument_rebound_to_a_view, X6, writes_arguments=True),
    InPlace("the_row_before", the_row_before, X6),
    InPlace("the_array_before", the_array_before, X6),
    InPlace("the_row_before_added", the_row_before_added, X6),
    InPlace("a_view_of_the_view_before", a_view_of_the_view_before, X6),
    InPlace("views_that_grow_shorter", views_that_grow_shorter, X6),
    InPlace("bound_before_the_loop_too", bound_before_the_loop_too, X6),
    InPlace("row_filled_with_its_sum", row_filled_with_its_sum, matrix(2, 3), writes_arguments=True),
    InPlace("row_multiplied_along_itself", row_multiplied_along_itself, matrix(2, 3), writes_arguments=True),
    InPlace("argument_assigned_in_the_loop", argument_assigned_in_the_loop, X6, vector(6), wrt=(0, 1)),
    InPlace("argument_shortened_in_the_loop", argument_shortened_in_the_loop, X6, vector(6), wrt=(0, 1)),
    InPlace("divided_by_zero_and_replaced", divided_by_zero_and_replaced, X6, 0.0),
    InPlace("list_subtracted_in_place", list_subtracted_in_place, X6),
    InPlace("list_divides", list_divides, X6),
    InPlace("list_is_subtracted", list_is_subtracted, X6[:2], [0.3, 0.4], wrt=(0, 1)),
    InPlace("zero_dimensional_result", zero_dimensional_result, X6, complex_program=zero_dimensional_result),
    InPlace("copy_of_a_global", copy_of_a_global, X6),
    InPlace("list_of_a_global", list_of_a_global, X6),
]


# -- what must stay refused ----------------------------------------------------------------------------------

SHARED = vector(3)


class Holder:
    buf = SHARED

    def weigh(self, x):
        return (self.buf * x).sum()


def read_global(x):
    return (SHARED * x).sum()


def read_class(x):
    return (Holder.buf * x).sum()


def read_default(x, w=SHARED):
    return (w * x).sum()


def global_read_by_called(x):
    x[0] = x[1] * 2.0
    return read_global(x)


def class_read_by_called(x):
    x[0] = x[1] * 2.0
    return read_class(x)


def default_read_by_called(x):
    x[0] = x[1] * 2.0
    return read_default(x)


def class_read_by_method(x, holder):
    x[0] = x[1] * 2.0
    return holder.weigh(x)


def index_of_a_number(x):
    e = x.sum()[()]
    e += 1.0
    return e * e


def axis_for_a_number(x):
    e = x.max()[None]
    e *= 2.0
    return e[0] * x[0]


def array_in_an_object_array(x, p):
    p[0][0] = x[1]
    return x[0] * p[0][0]


def attribute_of_a_class(x, p):
    p.z = x[0]
    return x[1] * p.z


def attribute_array_written(x, p):
    p.u[1] = x[0] * 2.0
    return (p.u * x).sum()


class Uncopied:
    def __init__(self, u):
        self.u = u

    def __copy__(self):
        return self


class Unreduced(Uncopied):
    def __copy__(self):
        raise TypeError("cannot copy")


def _object_array() -> np.ndarray:
    made = np.empty(1, object)
    made[0] = np.ones(3)
    return made


REFUSED: list[tuple[Callable[..., Any], tuple[Any, ...], str]] = [
    (global_read_by_called, (SHARED,), "'x' and 'SHARED' share memory"),
    (class_read_by_called, (SHARED,), "'x' and 'Holder.buf' share memory"),
    (default_read_by_called, (SHARED,), "the default of w in read_default"),
    (class_read_by_method, (SHARED, Holder()), "'x' and 'holder' share memory"),
    (index_of_a_number, (vector(3),), "an index of a single number"),
    (axis_for_a_number, (vector(3),), "an index of a single number"),
    (array_in_an_object_array, (vector(3), _object_array()), "an array of object"),
    (attribute_of_a_class, (vector(3), Holder), "an attribute of Holder is written"),
    (attribute_array_written, (vector(3), SimpleNamespace(u=np.ones(3))), "cannot be copied"),
    (attribute_array_written, (vector(3), Uncopied(np.ones(3))), "cannot be copied"),
    (attribute_array_written, (vector(3), Unreduced(np.ones(3))), "cannot be copied"),
]
