"""Programs that write: into arrays through every kind of alias, into lists, dicts, objects and arguments.

A row may carry a `twin`, the same function without a write, and a `gradient` worked out by hand. Most
programs make their arrays in the dtype of the argument, so that the complex step goes through them; those
that write `np.zeros(n)`, as scientists do, have a `complex_program`, or one-sided differences as the second
oracle.
"""

from __future__ import annotations

import collections
import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.programs.table import Program, array, matrix, positive, single, vector


class InPlace(Program):
    """A row of a program that writes.

    `twin`: the same function, written independently and without writes. `gradient`: the exact gradient.
    `complex_program`: what the complex step runs instead. `writes_arguments`: the program writes into its
    arguments, so plain Python needs copies of them.
    """

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        *args: Any,
        twin: Callable[..., Any] | None = None,
        gradient: Any = None,
        complex_program: Callable[..., Any] | None = None,
        writes_arguments: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(name, function, *args, **options)
        self.twin, self.gradient, self.complex_program = twin, gradient, complex_program
        self.writes_arguments = writes_arguments


def row(function: Callable[..., Any], *args: Any, suffix: str = "", **options: Any) -> InPlace:
    return InPlace(function.__name__ + suffix, function, *args, **options)


# -- five that Tangent 0.1.9 gets wrong -----------------------------------------------------------


def five_constant_store(x):
    y = x * 2
    y[0] = 1
    return np.sum(y * y)


def five_augmented_element(x):
    y = x * 1
    y[0] *= y[1]
    return np.sum(y)


def five_second_name(x):
    y = x * 1
    z = y
    z[0] = y[0] * y[0]
    return np.sum(y)


def five_store_through_view(x):
    y = x * 1
    v = y[1:]
    v[0] = 7 * x[0]
    return np.sum(y)


def five_out(x):
    y = x * 1
    np.multiply(x, x, out=y)
    return np.sum(y)


FIVE = np.array([1.5, 2.0, 3.0])

THE_FIVE = [
    row(five_constant_store, FIVE, gradient=[0.0, 16.0, 24.0]),
    row(five_augmented_element, FIVE, gradient=[2.0, 2.5, 1.0]),
    row(five_second_name, FIVE, gradient=[3.0, 1.0, 1.0]),
    row(five_store_through_view, FIVE, gradient=[8.0, 0.0, 1.0]),
    row(five_out, FIVE, gradient=[3.0, 4.0, 6.0]),
]


# -- stores ---------------------------------------------------------------------------------------


def store_element(x):
    y = x * x
    y[1] = x[0] * y[2]
    return np.sum(y * y)


def store_negative_index(x):
    y = np.sin(x)
    y[-1] = y[-2] * x[0]
    return (y * x).sum()


def store_two_indices(m):
    a = m * m
    a[0, 1] = a[1, 0] * m[0, 1]
    a[1, -1] = 3.0
    return (a * m).sum()


def store_chained_index(m):
    a = m * m
    a[0][1] = a[1][0] * m[0, 1]
    return (a * a).sum()


def store_slice(x):
    y = x * 2.0
    y[1:3] = x[:2] * x[1]
    return (y * y).sum()


def store_strided_slice(x):
    y = x * 2.0
    y[::2] = x[::-2] * y[0]
    return (y * y).sum()


def store_slice_of_a_number(x):
    y = x * x
    y[1:] = x[0] * 2.0
    return (y * y * x).sum()


def store_row_and_column(m):
    a = m * 1.0
    a[0] = m[1] * m[1]
    a[:, 1] = a[:, 0] * m[0, 0]
    return (a * a).sum()


def store_broadcast(m, x):
    a = m * m
    a[1:] = x
    a[:, :1] = m[0, 0] * x[0]
    return (a * a).sum()


def store_newaxis_ellipsis(m):
    a = np.zeros((3, 2, 4), m.dtype)
    a[0:2, None, ...] = m[None, None, :, :] * 2.0
    a[..., -1] = m[0, 0]
    return (a * a).sum() * m[1, 1]


def store_newaxis_slice(x):
    y = np.zeros((4, 3), x.dtype)
    y[0:2, None, ...] = x[None, :] * x[0]
    y[2, None] = x
    return (y * y).sum()


def store_whole(x):
    y = np.zeros_like(x)
    z = y
    y[...] = x * x
    y[:] = y * x
    return (z * z).sum()


def store_mask(x):
    y = x * x
    y[x > 0.0] = 2.0 * x[x > 0.0]
    return (y * x).sum()


def store_mask_of_a_number(x):
    y = x * x
    y[y < 0.5] = x[0]
    return (y * y).sum()


def store_mask_matrix(m):
    a = m * 2.0
    a[m < 0.0] = 0.0
    a[m > 0.8] *= a[0, 0]
    return (a * m).sum()


def store_mask_rows(m):
    a = m * m
    a[np.array([True, False, True])] = m[1] * m[0, 0]
    return (a * a).sum()


def store_integer_array(x):
    y = x * x
    y[np.array([2, 0])] = x[:2] * x[3]
    return (y * y).sum()


def store_repeated_indices(x):
    y = x * x
    y[[1, 1, 2, 1]] = x * x[0]
    return (y * y).sum()


def store_repeated_indices_number(x):
    y = x * x
    y[[1, 1, 2]] = x[0] * 3.0
    return (y * y).sum()


def store_pairs_of_indices(m):
    a = m * m
    a[[0, 1, 0], [1, 0, 1]] = m[0] * 2.0
    return (a * a).sum()


def store_rows_by_index(m):
    a = m * m
    a[[2, 0, 2]] = m * m[0, 0]
    return (a * a).sum()


def store_mixed_index(m):
    a = m * m
    a[[0, 2], 1:] = m[1:, :-1] * m[0, 0]
    return (a * a).sum()


def store_by_argmax(x):
    y = x * x
    y[np.argmax(y)] = x[0]
    y[np.argsort(x)[:2]] = x[1] * x[2]
    return (y * x).sum()


def store_index_that_changes(x):
    y = x * x
    index = np.array([0, 1])
    y[index] = x[1:3] * 2.0
    index[0] = 3
    y[index] = x[:2] * x[0]
    return (y * y).sum()


def store_constants(x):
    y = x * x
    y[0] = 1
    y[1] = 2.5
    y[2:4] = [3.0, 4.0]
    z = y * x
    z[4:] = np.ones(2)
    return (z * z).sum() + y.sum()


def store_list_of_values(x):
    y = np.zeros(4, x.dtype)
    y[:3] = [x[0], 2.0, x[1] * x[2]]
    y[3] = x[0]
    return (y * y).sum()


def store_over_store(x):
    y = x * x
    y[0] = x[1]
    y[0] = x[2] * x[0]
    y[0] = y[0] * y[0]
    return y.sum()


def store_itself(x):
    y = x * x
    y[1] = y[1]
    y[:] = y
    y[:2] = y[:2] * 1.0
    return (y * x).sum()


def store_in_multiple_assignment(x):
    y = x * x
    z = x * 2.0
    y[0] = z[1] = w = x[1] * x[2]
    return (y * z).sum() * w


def store_tuple_targets(x):
    y = x * x
    y[0], y[1] = x[1] * y[2], y[0]
    (y[2], k), y[3] = (y[3], 1), y[0] * x[0]
    return (y * y).sum() * k


def store_loop_target(x):
    y = np.zeros(2, x.dtype)
    total = x[0] * 0.0
    for y[0] in x:
        total = total + y[0] * y[0]
        y[1] = y[0]
    return total * y[1] + y[0]


def store_index_evaluated_once(x):
    places = [2, 1, 0]
    y = x * x
    y[places.pop()] += x[1]
    y[places.pop()] *= x[0]
    return (y * y).sum() * len(places)


def store_zero_dimensional(x):
    y = np.array(x[0] * x[1])
    z = y
    y[...] = y * x[2]
    y[()] = y + x[0]
    z += x[1]
    return y * z


def store_empty_slice(x):
    y = x * x
    y[1:1] = x[:0]
    y[x > 100.0] = 5.0
    y[[]] = 1.0
    return (y * x).sum()


def store_three_dimensional(a):
    b = a * a
    b[1, :, 0] = a[0, :, 1] * a[0, 0, 0]
    b[..., 1] = b[..., 0]
    b[:, 1, :] = 0.5
    return (b * a).sum()


STORES = [
    row(store_element, vector(3)),
    row(store_element, single(vector(3)), suffix="_float32"),
    row(store_negative_index, vector(4)),
    row(store_two_indices, matrix(2, 3)),
    row(store_chained_index, matrix(2, 2)),
    row(store_slice, vector(5)),
    row(store_slice, vector(10)[::-2], suffix="_of_strided"),
    row(store_strided_slice, vector(6)),
    row(store_slice_of_a_number, vector(4)),
    row(store_row_and_column, matrix(3, 2)),
    row(store_row_and_column, matrix(2, 3).T, suffix="_transposed"),
    row(store_broadcast, matrix(3, 2), vector(2, 3), wrt=(0, 1)),
    row(store_newaxis_ellipsis, matrix(2, 4)),
    row(store_newaxis_slice, vector(3)),
    row(store_whole, vector(3)),
    row(store_mask, vector(5)),
    row(store_mask_of_a_number, vector(5)),
    row(store_mask_matrix, matrix(3, 3)),
    row(store_mask_rows, matrix(3, 2)),
    row(store_integer_array, vector(4)),
    row(store_repeated_indices, vector(4)),
    row(store_repeated_indices_number, vector(4)),
    row(store_pairs_of_indices, matrix(2, 3)),
    row(store_rows_by_index, matrix(3, 2)),
    row(store_mixed_index, matrix(3, 3)),
    row(store_by_argmax, vector(5)),
    row(store_index_that_changes, vector(5)),
    row(store_constants, vector(6)),
    row(store_list_of_values, vector(3)),
    row(store_over_store, vector(3)),
    row(store_itself, vector(3)),
    row(store_in_multiple_assignment, vector(3)),
    row(store_tuple_targets, vector(4)),
    row(store_loop_target, vector(3)),
    row(store_index_evaluated_once, vector(3)),
    row(store_zero_dimensional, vector(3)),
    row(store_empty_slice, vector(3)),
    row(store_three_dimensional, array(2, 2, 3)),
]


# -- augmented ------------------------------------------------------------------------------------


def augmented_elements(x):
    y = x * 1.0
    y[0] += x[1] * x[2]
    y[1] -= y[0]
    y[2] *= y[1]
    y[3] /= y[2]
    y[0] **= 2
    return (y * y).sum()


def augmented_slices(x):
    y = x * 1.0
    y[1:] += y[:-1]
    y[:-1] *= y[1:]
    y[::2] -= x[::-2]
    y[1:3] /= x[0] + 3.0
    y[:2] **= 3
    return (y * y).sum()


def augmented_whole(x):
    y = x * 1.0
    z = y
    y += x
    y *= z
    y -= 0.5
    y /= x * x + 1.0
    y **= 2
    return (z * x).sum()


def augmented_by_itself(x):
    y = x * 1.0
    v = y[::-1]
    y += y
    y *= y
    y += v
    return (y * v).sum()


def augmented_by_own_view(x):
    y = x * 1.0
    y[1:] *= y[:-1]
    y[:-1] += y[1:]
    y += y[::-1]
    return (y * x).sum()


def augmented_broadcast(m, x):
    a = m * m
    a += x
    a *= m[:, :1]
    a[0] -= x[0]
    a /= 2
    return (a * a).sum()


def augmented_mask(x):
    y = x * x
    y[x > 0.0] *= x[0]
    y[x < 0.0] += x[x < 0.0]
    return (y * y).sum()


def augmented_repeated_indices(x):
    y = x * x
    y[[0, 1, 0, 2]] += x
    y[[1, 1]] *= x[2:]
    return (y * y).sum()


def augmented_product(a, b):
    c = a * 1.0
    d = c
    c @= b
    return (d * a).sum()


def augmented_float_rebinds(x):
    y = x[0] * 1.0
    z = y
    y += x[1]
    y *= z
    return y * z


def augmented_numpy_scalar_rebinds(x):
    total = x.sum()
    before = total
    total *= x[0]
    return total * before


def augmented_zero_dimensional_writes(x):
    y = np.array(x.sum())
    z = y
    y *= x[0]
    return z * x[1]


def augmented_row(m):
    a = m * m
    row = a[0]
    row += m[1]
    row *= a[1]
    return (a * a).sum()


def augmented_loop_variable(m):
    a = m * 1.0
    for row in a:
        row *= row
        row += m[0]
    return (a * m).sum()


def augmented_power_of_array(x):
    y = x * 1.0
    y **= np.array([1, 2, 3])
    y[1:] **= x[0] * x[0]
    return y.sum()


def augmented_true_division_of_ints(x):
    counts = np.array([3, 4, 5])
    counts[0] += 2
    counts *= 2
    counts //= 3
    counts %= 3
    return (x * counts).sum() * counts[1]


def augmented_bits(x):
    mask = x > 0.0
    mask &= x < 0.9
    mask |= x < -0.9
    mask ^= np.array([True, False, False, False, True])
    return (x[mask] ** 2).sum() + x[~mask].prod()


AUGMENTED = [
    row(augmented_elements, vector(4)),
    row(augmented_slices, vector(5)),
    row(augmented_slices, single(vector(5)), suffix="_float32"),
    row(augmented_whole, vector(3)),
    row(augmented_whole, matrix(2, 3), suffix="_matrix"),
    row(augmented_by_itself, vector(3)),
    row(augmented_by_own_view, vector(4)),
    row(augmented_broadcast, matrix(2, 3), vector(3, 2), wrt=(0, 1)),
    row(augmented_mask, vector(5)),
    row(augmented_repeated_indices, vector(4)),
    row(augmented_product, matrix(2, 2), matrix(2, 2, 2), wrt=(0, 1)),
    row(augmented_float_rebinds, vector(2)),
    row(augmented_numpy_scalar_rebinds, vector(3)),
    row(augmented_zero_dimensional_writes, vector(3)),
    row(augmented_row, matrix(2, 3)),
    row(augmented_loop_variable, matrix(3, 2)),
    row(augmented_power_of_array, positive(3)),
    row(augmented_true_division_of_ints, vector(3)),
    row(augmented_bits, vector(5)),
]


# -- functions that write -------------------------------------------------------------------------


def out_of_ufuncs(x):
    y = np.empty_like(x)
    z = np.empty_like(x)
    np.sin(x, out=y)
    np.add(y, x, z)
    np.multiply(z, y, out=(y,))
    np.exp(y, out=y)
    return (y * z).sum()


def out_is_an_operand(x):
    y = x * 1.0
    np.multiply(y, y, out=y)
    np.add(y, y[::-1], out=y)
    np.subtract(x, y, out=y)
    np.tanh(y, y)
    return (y * x).sum()


def out_is_returned(x):
    y = np.empty_like(x)
    z = np.multiply(x, x, out=y)
    z[0] = x[1]
    w = np.negative(z, out=z[::-1])
    return (y * w).sum()


def out_of_a_view(m):
    a = m * m
    np.multiply(m[0], m[1], out=a[0])
    np.square(a[:, 1], out=a[:, 0])
    np.add(m, 1.0, out=a[:, ::-1])
    a[1] *= a[0]
    return (a * m).sum()


def out_broadcasts(x):
    a = np.zeros((2, 3), x.dtype)
    np.multiply(x, x, out=a)
    np.add(a, 1.0, out=a)
    return (a * a).sum()


def out_of_reductions(m):
    columns = np.empty(3, m.dtype)
    rows = np.empty(2, m.dtype)
    np.sum(m * m, axis=0, out=columns)
    np.max(m, axis=0, out=columns[::-1])
    np.prod(m, 1, None, rows)
    return (columns * columns).sum() + (rows * rows).sum()


def out_of_methods(m):
    columns = np.empty(3, m.dtype)
    rows = np.empty(2, m.dtype)
    (m * m).sum(axis=0, out=columns)
    m.max(axis=1, out=rows)
    rows.cumsum(out=rows)
    return (columns * columns).sum() + (rows * rows).sum()


def out_of_reductions_into_a_row(m):
    a = m * m
    np.sum(m, axis=0, out=a[0])
    np.mean(a, axis=0, out=a[1])
    a[2] += a[1]
    return (a * a).sum()


def out_of_cumulative(x):
    y = np.empty_like(x)
    np.cumsum(x, out=y)
    np.cumprod(y, out=y)
    return (y * x).sum()


def out_of_products(a, b):
    c = np.zeros_like(a)
    np.dot(a, b, out=c)
    d = np.empty_like(a)
    np.matmul(c, b, out=d)
    c[0] = d[1]
    np.matmul(d, c, d)
    return (c * d).sum()


def out_of_clip_and_maximum(x):
    y = np.empty_like(x)
    np.maximum(x, 0.1, out=y)
    np.minimum(y, 0.7, out=y[:])
    np.clip(x * y, -0.3, 0.3, out=y)
    return (y * x).sum()


def out_in_a_loop(x):
    y = x * 1.0
    buffer = np.empty_like(x)
    for k in range(3):
        np.multiply(y, y, out=buffer)
        np.sin(buffer, out=y)
        y += x
    return (y * buffer).sum()


def add_at_repeats(x):
    y = np.zeros(3, x.dtype)
    np.add.at(y, [0, 2, 0, 1, 0], x * x)
    np.add.at(y, np.array([1, 1]), x[0])
    return (y * y).sum()


def add_at_of_matrix(m, x):
    a = m * m
    np.add.at(a, ([0, 1, 0], [1, 1, 1]), x)
    np.add.at(a, 1, m[0])
    np.add.at(a[:, 0], [1, 1], x[:2])
    return (a * a).sum()


def subtract_at(x):
    y = x * x
    np.subtract.at(y, [0, 0, 2], x[1:])
    return (y * y).sum()


def add_at_histogram(x):
    bins = np.zeros(3, x.dtype)
    for k in range(len(x)):
        np.add.at(bins, k % 3, x[k] * bins[(k + 1) % 3] + x[k])
    return (bins * bins).sum()


def copyto(x):
    y = np.empty_like(x)
    np.copyto(y, x * x)
    np.copyto(y[1:], x[0])
    np.copyto(y, x, where=x > 0.0)
    return (y * y).sum()


def copyto_broadcast(m, x):
    a = m * m
    np.copyto(a, x, where=m > 0.0)
    np.copyto(a[:, 0], 2.0)
    return (a * m).sum()


def fill(x):
    y = x * x
    y[0] *= x[1]
    total = y.sum()
    y.fill(x[2])
    y[1:].fill(x[0] * x[0])
    return (y * x).sum() * total


def fill_constant(x):
    y = x * x
    z = y * 2.0
    y.fill(3.0)
    return (y * z).sum()


def sort_in_place(x):
    y = x * 1.0
    z = y
    y.sort()
    return (z * np.arange(1.0, 6.0)).sum() * y[0]


def sort_view(x):
    y = x * x
    y[1:4].sort()
    y[::-1].sort()
    return (y * np.arange(1.0, 6.0)).sum()


def sort_axes(m):
    a = m * 1.0
    a.sort(axis=0)
    b = a * m
    b.sort()
    return (a * b).sum() + b[0, 0] * a[1, 2]


def sort_in_a_loop(x):
    window = x[:3] * 1.0
    total = x[0] * 0.0
    for k in range(3, len(x)):
        window.sort()
        total = total + window[1] * x[k]
        window[0] = x[k]
    return total * window[2]


def fill_diagonal(m):
    a = m * m
    np.fill_diagonal(a, m[0, 1])
    b = a * m
    np.fill_diagonal(b, m[1] * 2.0)
    return (a * b).sum()


WRITERS = [
    row(out_of_ufuncs, vector(3)),
    row(out_of_ufuncs, single(vector(3)), suffix="_float32"),
    row(out_is_an_operand, vector(4)),
    row(out_is_returned, vector(3)),
    row(out_of_a_view, matrix(2, 2)),
    row(out_broadcasts, vector(3)),
    row(out_of_reductions, matrix(2, 3)),
    row(out_of_methods, matrix(2, 3)),
    row(out_of_reductions_into_a_row, matrix(3, 3)),
    row(out_of_cumulative, vector(4)),
    row(out_of_products, matrix(2, 2), matrix(2, 2, 2), wrt=(0, 1)),
    row(out_of_clip_and_maximum, vector(5)),
    row(out_in_a_loop, vector(3)),
    row(add_at_repeats, vector(5)),
    row(add_at_of_matrix, matrix(2, 2), vector(3), wrt=(0, 1)),
    row(subtract_at, vector(4)),
    row(add_at_histogram, vector(6)),
    row(copyto, vector(4)),
    row(copyto_broadcast, matrix(2, 3), vector(3, 2), wrt=(0, 1)),
    row(fill, vector(4)),
    row(fill_constant, vector(3), gradient=6.0 * vector(3) * 2.0),
    row(sort_in_place, vector(5)),
    row(sort_view, vector(5)),
    row(sort_axes, matrix(3, 3)),
    row(sort_in_a_loop, vector(6)),
    row(fill_diagonal, matrix(3, 3)),
]


# -- swaps and overlaps ---------------------------------------------------------------------------


def swap_names(x):
    a = x * x
    b = x * 2.0
    for k in range(3):
        a, b = b, a
        a[k] = b[0] * x[k]
    return (a * b).sum()


def swap_elements(x):
    y = x * x
    y[0], y[2] = y[2], y[0]
    y[1] *= y[0]
    return (y * x).sum()


def swap_elements_by_temporary(x):
    y = x * x
    t = y[0]
    y[0] = y[1]
    y[1] = t
    return (y * x).sum()


def swap_rows_by_index(m):
    a = m * m
    a[[0, 1]] = a[[1, 0]]
    a[[0, 2], :] = a[[2, 0], :] * m[0, 0]
    return (a * m).sum()


def swap_rows_wrong(m):
    """The famous trap: both are views, so the second row is what the first has just become."""
    a = m * m
    a[0], a[1] = a[1], a[0]
    return (a * m).sum()


def swap_rows_by_copy(m):
    a = m * m
    t = a[0].copy()
    a[0] = a[1]
    a[1] = t
    return (a * m).sum()


def swap_views(x):
    y = x * x
    left, right = y[:2], y[2:]
    left, right = right, left
    left[0] = x[0]
    right += left
    return (y * y).sum() * right[1]


def swap_columns_slice(m):
    a = m * m
    a[:, [0, 2]] = a[:, [2, 0]]
    a[:] = a[::-1]
    return (a * m).sum()


def swap_list_items(x):
    items = [x[0], x[1] * x[2], x[2]]
    items[0], items[2] = items[2], items[0]
    items[1] = items[1] * items[0]
    return items[0] * items[1] + items[2]


def overlap_shift_right(x):
    y = x * x
    y[1:] = y[:-1]
    return (y * x).sum()


def overlap_shift_left(x):
    y = x * x
    y[:-1] = y[1:]
    y[-1] = x[0]
    return (y * x).sum()


def overlap_reverse(x):
    y = x * x
    y[:] = y[::-1]
    y[1:] = y[:-1][::-1]
    return (y * x).sum()


def overlap_transpose(m):
    a = m * m
    a[...] = a.T
    a.T[0] = a[:, 1]
    return (a * m).sum()


def overlap_strided(x):
    y = x * x
    y[::2] = y[1::2] * y[::2]
    y[:3] = y[::2]
    return (y * x).sum()


def overlap_out(x):
    y = x * x
    np.add(y[1:], y[:-1], out=y[1:])
    np.multiply(y[:-1], x[0], out=y[1:])
    return (y * x).sum()


def overlap_copyto(x):
    y = x * x
    np.copyto(y[2:], y[:-2])
    return (y * x).sum()


def overlap_in_a_loop(x):
    y = x * 1.0
    for k in range(3):
        y[1:] = y[:-1] * y[1:]
        y[0] = x[k]
    return (y * y).sum()


SWAPS = [
    row(swap_names, vector(3)),
    row(swap_elements, vector(3)),
    row(swap_elements_by_temporary, vector(3)),
    row(swap_rows_by_index, matrix(3, 2)),
    row(swap_rows_wrong, matrix(2, 3)),
    row(swap_rows_by_copy, matrix(2, 3)),
    row(swap_views, vector(4)),
    row(swap_columns_slice, matrix(2, 3)),
    row(swap_list_items, vector(3)),
    row(overlap_shift_right, vector(4)),
    row(overlap_shift_left, vector(4)),
    row(overlap_reverse, vector(4)),
    row(overlap_transpose, matrix(3, 3)),
    row(overlap_strided, vector(6)),
    row(overlap_out, vector(4)),
    row(overlap_copyto, vector(5)),
    row(overlap_in_a_loop, vector(4)),
]


# -- views ----------------------------------------------------------------------------------------


def view_of_view(x):
    y = x * x
    v = y[1:]
    w = v[::-1]
    u = w[:2]
    u[0] = x[0] * x[1]
    v[0] *= u[0]
    return (y * y).sum()


def view_made_before_the_store(x):
    y = x * x
    v = y[1:3]
    y[1] = x[0] * 3.0
    return (v * v).sum() + y[2]


def view_reshaped(m):
    a = m * m
    flat = a.reshape(-1)
    flat[1] = m[0, 0] * flat[2]
    flat[::3] *= 2.0
    return (a * m).sum()


def copy_reshaped(m):
    """The transpose cannot be flattened in place: NumPy copies, and the store is not seen in `a`."""
    a = m * m
    flat = a.T.reshape(-1)
    flat[1] = m[0, 0] * flat[2]
    return (a * m).sum() + (flat * flat).sum()


def reshape_view_or_copy(m):
    """A view if `m` lies in order, a copy if not."""
    a = m.copy(order="K")
    flat = a.reshape(-1)
    flat[0] = 7.0 * flat[1]
    return (a * a).sum() + flat[2]


def view_ravelled(m):
    a = m * m
    a.ravel()[1] = m[1, 1]
    a.flatten()[0] = 100.0
    np.ravel(a)[-1] = m[0, 0] * m[1, 0]
    return (a * a).sum()


def view_transposed(m):
    a = m * m
    t = a.T
    t[0] = m[:, 1] * t[1]
    t[:, 1] *= m[0, 0]
    return (a * m[0, 0] + a * a).sum()


def view_swapped_axes(a):
    b = a * a
    b.swapaxes(0, 2)[1] = a[:, :, 0].T
    np.moveaxis(b, 1, 0)[0] *= a[0, 0, 0]
    b.transpose(2, 0, 1)[0, 1] = 2.0
    return (b * a).sum()


def view_new_axis(x):
    y = x * x
    y[None, :][0, 1] = x[0]
    y[:, None][2] = x[0] * x[1]
    np.expand_dims(y, 0)[0, 0] += x[2]
    return (y * y).sum()


def view_squeezed(m):
    a = (m * m)[:, None, :]
    s = np.squeeze(a, 1)
    s[0, 1] = m[1, 1]
    a[:, 0, 0] *= 3.0
    return (s * m).sum()


def view_of_asarray(x):
    y = x * x
    z = np.asarray(y)
    z[0] = x[1]
    w = np.atleast_2d(y)
    w[0, 1] = x[2] * x[0]
    c = np.array(y)
    c[2] = 50.0
    return (y * y).sum() + c[0]


def view_split(x):
    y = x * x
    left, right = np.split(y, 2)
    left[0] = right[1] * x[0]
    right *= left
    return (y * y).sum()


def diagonal_by_einsum(m):
    a = m * m
    np.einsum("ii->i", a)[...] = m[0] * 2.0
    d = np.einsum("ii->i", a)
    d *= m[1]
    return (a * m).sum()


def diagonal_element_by_einsum(m):
    a = m * m
    d = np.einsum("ii->i", a)
    d[0] = m[0, 1] * a[1, 1]
    return a.sum()


def diagonal_by_strides(m):
    a = m * m
    n = len(a)
    a.reshape(-1)[:: n + 1] += m[0]
    a.ravel()[n - 1 : -1 : n - 1] = m[1, 1] * m[0]
    return (a * m).sum()


def diagonal_by_loop(m):
    a = m * m
    for k in range(3):
        a[k, k] = a[k, (k + 1) % 3] * m[k, k]
    return (a * a).sum()


def rows_written(m):
    a = m * m
    for row in a:
        row[0] = row[1] * row[1]
    return (a * a).sum()


def rows_enumerated(m):
    a = m * m
    for k, row in enumerate(a):
        row[k] = m[0, 0] * k
        row[:] += a[0]
    return (a * m).sum()


def rows_zipped(a, b):
    c = a * a
    for row, other in zip(c, b):
        row += other
        row[0] *= other[1]
    return (c * c).sum()


def rows_reversed(m):
    a = m * m
    previous = m[0]
    for row in reversed(a):
        row *= previous
        previous = row
    return a.sum()


def rows_unpacked(m):
    a = m * m
    first, second = a
    first[0] = second[1]
    second *= first
    return (a * m).sum()


def rows_in_a_list(m):
    a = m * m
    rows = [a[0], a[1], a[0]]
    rows[2][1] = m[1, 1] * rows[1][0]
    rows[1] += rows[0]
    for row in rows:
        row *= 2.0
    return (a * a).sum()


def rows_by_comprehension(m):
    a = m * m
    rows = [row for row in a]
    rows[1][0] = m[0, 1]
    firsts = [row[:1] for row in rows]
    firsts[0][0] *= m[1, 1]
    return (a * m).sum()


def columns_written(m):
    a = m * m
    for column in a.T:
        column[1:] -= column[:-1]
    return (a * a).sum()


def cells_written(a):
    b = a * a
    for plane in b:
        for line in plane:
            line[0] = line[1] * a[0, 0, 0]
    return (b * b).sum()


def alias_by_branch(x):
    a = x * x
    b = x * 2.0
    if x[0] > 0.0:
        c = a
    else:
        c = b
    c[1] = x[0] * a[2]
    return (a * b).sum()


def alias_by_conditional_expression(x, n):
    a = x * x
    b = x * 2.0
    c = a if n > 1 else b
    c *= b
    (b if n > 1 else a)[0] = x[1]
    return (a * b * c).sum()


def alias_by_or(x):
    a = x * x
    items = []
    b = items or a
    b[0] = x[1]
    return (a * a).sum()


def alias_changes_in_a_loop(x):
    a = x * x
    b = x * 2.0
    c = a
    for k in range(3):
        c[k] = x[k] * a[0]
        c = b if k == 0 else a
    return (a * b * c).sum()


def view_moves_in_a_loop(x):
    y = x * x
    v = y
    while len(v) > 1:
        v[0] = v[0] * v[1]
        v = v[1:]
    return (y * y).sum()


def view_of_halves(x):
    y = x * x
    low, high = 0, len(x)
    v = y[low:high]
    while len(v) > 1:
        half = len(v) // 2
        v[:half] += v[half : 2 * half]
        v = v[:half]
    return y.sum() * v[0]


def alias_in_a_tuple(x):
    a = x * x
    pair = (a, a[1:])
    pair[1][0] = x[0]
    first, rest = pair
    first *= rest[0]
    return (a * x).sum()


def alias_in_a_list(x):
    a = x * x
    items = [a, x * 2.0]
    items[0][1] = items[1][0]
    items.append(items[0])
    items[2] += x
    return (a * items[1]).sum()


def alias_in_a_dict(x):
    state = {"u": x * x, "v": x * 2.0}
    u = state["u"]
    u[0] = state["v"][1]
    state["v"] *= u
    state["w"] = u[1:]
    state["w"][0] = x[0]
    return (state["u"] * state["v"]).sum()


def alias_in_nested_containers(x):
    layers = [{"w": x * x, "b": [x * 2.0]}, {"w": x * 3.0, "b": [x + 1.0]}]
    for layer in layers:
        layer["w"][0] = x[1] * layer["b"][0][2]
        layer["b"][0] -= layer["w"]
    layers[1]["w"] *= layers[0]["b"][0]
    return (layers[1]["w"] * layers[1]["b"][0]).sum()


def copies_are_apart(x):
    y = x * x
    a, b, c, d = y.copy(), np.copy(y), y + 0.0, np.array(y)
    a[0] = x[1]
    b *= a
    c[:2] = 0.0
    d[1] = 9.0
    y[2] = x[0]
    return (a * b + c * d + y).sum()


def fancy_reads_are_copies(x):
    y = x * x
    a = y[[0, 1]]
    b = y[x > 0.0]
    a[0] = x[2]
    b *= 2.0
    y[0] = x[1]
    return y.sum() * a.sum() * b.sum()


def reads_of_elements_are_values(x):
    y = x * x
    first = y[0]
    y[0] = x[1] * first
    second = y[0]
    y[0] *= second
    return first * second + y.sum()


def broadcast_sees_the_store(x):
    y = x * x
    wide = np.broadcast_to(y, (2, 3))
    y[0] = x[1]
    return (wide * wide * np.array([[1.0], [2.0]])).sum()


def views_outlive_their_base(x):
    def tail(a):
        b = a * a
        return b[1:]

    v = tail(x)
    w = v[:2]
    v[0] = x[0]
    return (v * v).sum() * w[0]


VIEWS = [
    row(view_of_view, vector(4)),
    row(view_of_view, single(vector(4)), suffix="_float32"),
    row(view_made_before_the_store, vector(4)),
    row(view_reshaped, matrix(2, 3)),
    row(copy_reshaped, matrix(2, 3)),
    row(reshape_view_or_copy, matrix(2, 3)),
    row(reshape_view_or_copy, matrix(3, 2).T, suffix="_transposed"),
    row(view_ravelled, matrix(2, 2)),
    row(view_transposed, matrix(2, 3)),
    row(view_swapped_axes, array(2, 2, 2)),
    row(view_new_axis, vector(3)),
    row(view_squeezed, matrix(2, 2)),
    row(view_of_asarray, vector(3)),
    row(view_split, vector(4)),
    row(diagonal_by_einsum, matrix(3, 3)),
    row(diagonal_element_by_einsum, matrix(2, 2)),
    row(diagonal_by_strides, matrix(3, 3)),
    row(diagonal_by_loop, matrix(3, 3)),
    row(rows_written, matrix(3, 2)),
    row(rows_enumerated, matrix(2, 3)),
    row(rows_zipped, matrix(2, 2), matrix(2, 2, 2), wrt=(0, 1)),
    row(rows_reversed, matrix(3, 2)),
    row(rows_unpacked, matrix(2, 3)),
    row(rows_in_a_list, matrix(2, 2)),
    row(rows_by_comprehension, matrix(2, 2)),
    row(columns_written, matrix(3, 2)),
    row(cells_written, array(2, 2, 2)),
    row(alias_by_branch, vector(3)),
    row(alias_by_branch, -vector(3), suffix="_other"),
    row(alias_by_conditional_expression, vector(3), 1),
    row(alias_by_conditional_expression, vector(3), 2, suffix="_other"),
    row(alias_by_or, vector(3)),
    row(alias_changes_in_a_loop, vector(3)),
    row(view_moves_in_a_loop, vector(4)),
    row(view_of_halves, vector(8)),
    row(alias_in_a_tuple, vector(3)),
    row(alias_in_a_list, vector(3)),
    row(alias_in_a_dict, vector(3)),
    row(alias_in_nested_containers, vector(3)),
    row(copies_are_apart, vector(3)),
    row(fancy_reads_are_copies, vector(4)),
    row(reads_of_elements_are_values, vector(3)),
    row(broadcast_sees_the_store, vector(3)),
    row(views_outlive_their_base, vector(4)),
]


# -- dtypes, and arrays that are not differentiated -----------------------------------------------


def integers_into_floats(x):
    y = x * x
    y[0] = 3
    y[1:] += np.array([1, 2])
    y *= 2
    return (y * y).sum()


def floats_into_float32(x, low):
    y = low * low
    y[0] = x[0] * x[1]
    y[1:] += x[1:]
    y[1:] *= y[0]
    return (y * y).sum()


def float32_into_float64(low, x):
    y = x * x
    y[1:] = low[:2] * low[1]
    y[0] *= low[0]
    return (y * y).sum()


def plain_zeros(x):
    y = np.zeros(4)
    y[1:] = x * x
    y[0] = y[1] * x[2]
    return (y * y).sum()


def plain_zeros_complex(x):
    y = np.zeros(4, complex)
    y[1:] = x * x
    y[0] = y[1] * x[2]
    return (y * y).sum()


def plain_empty_filled(x):
    n = len(x)
    y = np.empty(n)
    for k in range(n):
        y[k] = x[k] * x[n - 1 - k]
    return (y * x).sum()


def plain_empty_matrix(x):
    n = len(x)
    a = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            a[i, j] = x[i] * x[j] + i - j
    return np.linalg.det(a + np.eye(n)) + a.trace()


def plain_full_and_ones(x):
    y = np.full(3, 2.0)
    z = np.ones(3)
    y[0] = x[0]
    z[1:] *= x[1:] * y[0]
    return (y * z).sum()


def counts_steer(x):
    counts = np.zeros(3, int)
    y = x[0] * 1.0
    for v in x:
        k = 0 if v > 0.5 else 1 if v > -0.5 else 2
        counts[k] += 1
        y = y * v if counts[k] % 2 else y + v
    return y * counts[0] + counts[1]


def permutation_written(x):
    order = np.arange(len(x))
    for k in range(len(x) - 1):
        if x[order[k]] > x[order[k + 1]]:
            order[k], order[k + 1] = order[k + 1], order[k]
    y = x[order]
    y[order] *= x
    return (y * np.arange(1.0, len(x) + 1.0)).sum()


def flags_written(x):
    done = np.zeros(len(x), bool)
    y = x * x
    for _ in range(3):
        k = np.argmax(np.where(done, -100.0, y))
        done[k] = True
        y[~done] *= y[k]
    return y.sum()


def index_cursor(x):
    cursor = np.array([0, 0])
    y = np.zeros((2, 3), x.dtype)
    for v in x:
        side = 0 if v > 0.0 else 1
        if cursor[side] < 3:
            y[side, cursor[side]] = v * v
            cursor[side] += 1
    return (y[0, : cursor[0]] ** 2).sum() - y[1].sum()


def constants_written(x):
    weights = np.ones(3)
    weights[1] = 4.0
    weights *= 2.0
    y = (x * weights).sum()
    weights[0] = -1.0
    return y * (x * x * weights).sum()


def constants_overwritten_by_active(x):
    y = np.ones(3, x.dtype)
    total = (y * x).sum()
    y[0] = x[1]
    total = total * (y * x).sum()
    y[:] = 2.0
    return total * (y * x).sum()


def active_becomes_constant(x):
    y = x * x
    a = y.sum()
    y[:] = 3.0
    b = y.sum()
    y[0] = x[0]
    return a * b * y.sum()


def copy_of_argument_in_float(x):
    y = np.array(x, dtype=np.float64)
    z = x.astype(np.float64)
    y[0] = z[1] * z[1]
    z[2] *= y[0]
    return (y * z).sum()


DTYPES = [
    row(integers_into_floats, vector(3)),
    row(
        floats_into_float32,
        vector(3),
        single(vector(3, 2)),
        wrt=(0, 1),
        analytic=False,
        tolerance=1e-4,
        step=60.0,
    ),
    row(float32_into_float64, single(vector(3)), vector(3, 2), wrt=(0, 1)),
    row(plain_zeros, vector(3), complex_program=plain_zeros_complex),
    row(plain_zeros, single(vector(3)), suffix="_float32", complex_program=plain_zeros_complex),
    row(plain_empty_filled, vector(4), analytic=False),
    row(plain_empty_matrix, vector(3), analytic=False),
    row(plain_full_and_ones, vector(3), analytic=False),
    row(counts_steer, vector(6)),
    row(permutation_written, vector(4)),
    row(flags_written, vector(5), analytic=False),
    row(index_cursor, vector(7)),
    row(constants_written, vector(3)),
    row(constants_overwritten_by_active, vector(3)),
    row(active_becomes_constant, vector(3)),
    row(copy_of_argument_in_float, vector(3), analytic=False),
]


# -- branches and loops ---------------------------------------------------------------------------


def branch_writes(x):
    y = x * x
    if y[0] > y[1]:
        y[0] = x[2]
    else:
        y[1:] *= x[0]
        y[2] = y[1]
    return (y * y).sum()


def branch_writes_one_of_two(x, which):
    y = x * x
    z = x * 2.0
    if which == "y":
        y[0] = z[1]
    elif which == "z":
        z[0] = y[1]
    return (y * z).sum()


def branch_in_loop_writes(x):
    y = x * x
    for k in range(1, len(x)):
        if x[k] > 0.0:
            y[k] = y[k - 1] * x[k]
        elif x[k] < -0.5:
            y[k - 1] += x[k]
        else:
            continue
        y[0] *= 1.5
    return (y * y).sum()


def early_return_after_writes(x):
    y = x * x
    y[0] = x[1]
    if y[0] > 0.0:
        y[1] *= y[0]
        return y.sum()
    y[2] = y[0] * y[1]
    return (y * y).sum()


def early_return_in_a_loop(x):
    y = x * x
    for k in range(1, len(x)):
        y[k] += y[k - 1]
        if y[k] > 1.0:
            y[0] = y[k] * x[0]
            return (y * x).sum()
    return y.sum() * y[0]


def recurrence(x):
    y = np.empty_like(x)
    y[0] = x[0]
    for k in range(1, len(x)):
        y[k] = np.sin(y[k - 1]) * x[k] + y[0]
    return (y * y).sum()


def recurrence_backwards(x):
    y = x * 1.0
    for k in range(len(y) - 2, -1, -1):
        y[k] *= y[k + 1]
    return (y * x).sum()


def overwritten_in_a_loop(x):
    y = x * 1.0
    total = x[0] * 0.0
    for k in range(4):
        total = total + (y * y).sum()
        y[0] = y[1] * y[2]
        y[1:] = y[1:] * y[0] + x[k % 3]
    return total


def linear_stencil(u, steps):
    for _ in range(steps):
        new = u.copy()
        new[1:-1] = u[1:-1] + 0.1 * (u[:-2] - 2.0 * u[1:-1] + u[2:])
        u = new
    return (u * u).sum()


def linear_stencil_in_place(u, steps):
    v = u * 1.0
    for _ in range(steps):
        v[1:-1] += 0.1 * (v[:-2] - 2.0 * v[1:-1] + v[2:])
    return (v * v).sum()


def ping_pong(x, steps):
    a = x * x
    b = np.zeros_like(a)
    for _ in range(steps):
        b[1:-1] = a[:-2] * a[2:] + a[1:-1]
        b[0] = a[0]
        b[-1] = a[-1]
        a, b = b, a
    return (a * x).sum()


def ping_pong_in_one_array(x, steps):
    u = np.zeros((2, len(x)), x.dtype)
    u[0] = x
    for k in range(steps):
        now, then = k % 2, (k + 1) % 2
        u[then, 1:] = u[now, :-1] * u[now, 1:]
        u[then, 0] = u[now, -1]
    return (u[steps % 2] ** 2).sum()


def ring_buffer(x, delay):
    ring = np.zeros(delay, x.dtype)
    total = x[0] * 0.0
    for k in range(len(x)):
        old = ring[k % delay]
        ring[k % delay] = x[k] + 0.5 * old * old
        total = total + old * x[k]
    return total * ring.sum()


def break_in_the_middle(x):
    y = x * 1.0
    for k in range(len(x) - 1):
        y[k + 1] += y[k] * y[k]
        if y[k + 1] > 1.0:
            break
        y[k] = y[k + 1] * x[0]
    return (y * y).sum()


def break_and_else(x, limit):
    y = x * x
    for k in range(len(x)):
        if y[k] > limit:
            y[k] = x[0]
            break
        y[k] *= 2.0
    else:
        y[0] = y[1] * y[2]
    return (y * y).sum()


def continue_after_write(x):
    y = x * x
    for k in range(1, len(x)):
        y[k] += y[k - 1]
        if x[k] < 0.0:
            continue
        y[k] *= y[k]
    return y.sum()


def while_with_state(x):
    y = x * x
    k = 0
    while y.sum() < 20.0 and k < 10:
        y[k % 3] *= 1.5
        y[(k + 1) % 3] += y[k % 3]
        k += 1
    return (y * x).sum()


def while_true(x):
    y = x * 1.0
    state = np.array([0])
    while True:
        y[0] = y[1] * y[2] + x[0]
        state[0] += 1
        if state[0] == 3:
            break
        y[1:] = y[:-1] * 0.5
    return (y * y).sum()


def while_condition_reads_the_array(x):
    y = x * x + 1.0
    while y[0] < 8.0:
        y[0] *= y[1]
        y[1] += 0.25 * x[1]
    return y.sum() * y[0]


def nested_loops(m):
    a = m * 1.0
    for i in range(len(a)):
        for j in range(a.shape[1]):
            if i > 0 and j > 0:
                a[i, j] += a[i - 1, j] * a[i, j - 1]
    return a[-1, -1] * a.sum()


def nested_loops_with_break(m):
    a = m * m
    for i in range(1, len(a)):
        for j in range(a.shape[1]):
            if a[i, j] > 0.8:
                break
            a[i, j] += a[i - 1, j] * m[0, 0]
        else:
            a[i] *= 2.0
            continue
        a[i, 0] = a[i - 1, -1] * a[i, 0]
    return (a * a).sum()


def nested_while(x):
    y = x * x
    for k in range(1, len(x)):
        j = k
        while j > 0 and y[j] < y[j - 1]:
            y[j], y[j - 1] = y[j - 1], y[j]
            j -= 1
    return (y * np.arange(1.0, len(x) + 1.0)).sum()


def triangular_loops(x):
    y = x * 1.0
    for i in range(len(x)):
        for j in range(i):
            y[i] -= 0.5 * y[j] * x[j]
        y[i] /= x[i] * x[i] + 1.0
    return y.prod() + y.sum()


def made_in_each_round(x):
    total = x[0] * 0.0
    for k in range(3):
        y = np.zeros_like(x)
        y[k] = x[k] * x[0]
        y[(k + 1) % 3] = y[k] * y[k]
        total = total + (y * x).sum()
    return total


def reused_in_each_round(x):
    y = np.zeros_like(x)
    total = x[0] * 0.0
    for k in range(3):
        y[:] = 0.0
        y[k] = x[k] * x[0]
        y[(k + 1) % 3] = y[k] * y[k]
        total = total + (y * x).sum()
    return total


def kept_in_each_round(x):
    history = []
    y = x * 1.0
    for k in range(3):
        y[k] *= y[(k + 1) % 3]
        history.append(y.copy())
    return (history[0] * history[1] * history[2]).sum()


def kept_without_copy(x):
    """The trap: the list holds one array three times."""
    history = []
    y = x * 1.0
    for k in range(3):
        y[k] *= y[(k + 1) % 3]
        history.append(y)
    history[0][0] = x[0]
    return (history[0] * history[1] * history[2]).sum()


def rebound_or_written(x):
    y = x * x
    z = y
    for k in range(3):
        if k == 1:
            y = y * x[0]
        y[k] = z[0] * x[k]
        z[2] += y[k]
    return (y * z).sum()


def operand_of_a_product_written(a, x):
    """The adjoint of `a` is a sum of outer products with what `p` was in each round."""
    p = x.copy()
    total = x[0] * 0.0
    for _ in range(3):
        total = total + (a @ p).sum() * p[0]
        p *= 2.0
        p[1] = total
    return total


def operand_of_a_matrix_product_written(a, b):
    p = b.copy()
    total = b[0, 0] * 0.0
    for _ in range(2):
        c = a.T @ p
        p[0] = c[1] * p[1]
        p -= 0.5
        total = total + (c * c).sum()
    return total


def zero_rounds(x, n):
    y = x * x
    for k in range(n):
        y[k] = x[0]
    while n > 100:
        y[0] = 1.0
        n -= 1
    return (y * x).sum()


CONTROL = [
    row(branch_writes, vector(3)),
    row(branch_writes, vector(3)[::-1].copy(), suffix="_other"),
    row(branch_writes_one_of_two, vector(2), "y"),
    row(branch_writes_one_of_two, vector(2), "z", suffix="_z"),
    row(branch_writes_one_of_two, vector(2), "", suffix="_none"),
    row(branch_in_loop_writes, vector(8)),
    row(early_return_after_writes, vector(3)),
    row(early_return_after_writes, -vector(3), suffix="_other"),
    row(early_return_in_a_loop, vector(5)),
    row(early_return_in_a_loop, 0.1 * vector(5), suffix="_falls_through"),
    row(recurrence, vector(5)),
    row(recurrence, single(vector(5)), suffix="_float32"),
    row(recurrence_backwards, vector(5)),
    row(overwritten_in_a_loop, vector(3)),
    row(linear_stencil, vector(6), 3),
    row(linear_stencil_in_place, vector(6), 3),
    row(ping_pong, vector(5), 3),
    row(ping_pong_in_one_array, vector(4), 5),
    row(ring_buffer, vector(9), 3),
    row(break_in_the_middle, vector(6)),
    row(break_in_the_middle, 0.3 * vector(6), suffix="_not_taken"),
    row(break_and_else, vector(4), 0.8),
    row(break_and_else, vector(4), 5.0, suffix="_else"),
    row(continue_after_write, vector(6)),
    row(while_with_state, vector(3)),
    row(while_true, vector(3)),
    row(while_condition_reads_the_array, vector(2)),
    row(nested_loops, matrix(3, 4)),
    row(nested_loops_with_break, matrix(4, 3)),
    row(nested_while, vector(6)),
    row(triangular_loops, vector(4)),
    row(made_in_each_round, vector(3)),
    row(reused_in_each_round, vector(3)),
    row(kept_in_each_round, vector(3)),
    row(kept_without_copy, vector(3)),
    row(rebound_or_written, vector(3)),
    row(operand_of_a_product_written, matrix(3, 3), vector(3), wrt=(0, 1)),
    row(operand_of_a_matrix_product_written, matrix(2, 2), matrix(2, 2, 2), wrt=(0, 1)),
    row(zero_rounds, vector(3), 0),
    row(zero_rounds, vector(3), 2, suffix="_two"),
]


# -- lists ----------------------------------------------------------------------------------------


def list_appended(x, n):
    items = []
    for k in range(n):
        items.append(x * x + k)
    return sum(items) * items[0] * items[-1]


def list_appended_recurrence(x):
    items = [x, x * x]
    for _ in range(4):
        items.append(items[-1] * items[-2] + x)
    return items[-1] + items[3] * items[0]


def list_popped(x):
    items = [x[0], x[1] * x[0], x[2]]
    last = items.pop()
    first = items.pop(0)
    items.append(first * last)
    items.append(items.pop() * items.pop(-1))
    return items[0] * last


def list_inserted(x):
    items = [x[0], x[1]]
    items.insert(0, x[2] * x[0])
    items.insert(2, items[0] * items[1])
    items.insert(-1, 3.0)
    items.insert(100, x[1])
    return items[0] * items[1] + items[2] * items[3] * items[4] + items[5]


def list_extended(x, n):
    items = [x]
    more = [x * x, 2.0 * x]
    for _ in range(n):
        items.extend(more)
        items += [items[-1] * x]
        more[0] = items[-1]
    return sum(items) * items[3]


def list_overwritten(x):
    items = [0.0] * 3
    alias = items
    items[0] = x * x
    items[1] = alias[0] * x
    alias[-1] = items[1] + 1.0
    items[0] = 2.0
    items[2] *= items[1]
    return alias[0] * alias[1] * alias[2]


def list_slice_replaced(x):
    items = [x[0], x[1], x[2]]
    items[1:] = [x[0] * x[1], 2.0, x[2] * x[2]]
    items[:1] = []
    return items[0] * items[2] + items[1]


def list_cleared_reversed_removed(x):
    items = [x[0], x[1] * x[0], x[2]]
    items.reverse()
    a = items[0] * items[1]
    items.clear()
    items.append(a)
    return items[0] * a + len(items)


def list_multiplied(x):
    items = [x[0], x[1]]
    alias = items
    items *= 2
    alias[0] = x[1] * items[3]
    return items[0] * items[2] * len(alias)


def list_of_lists_written(x):
    table = [[0.0] * 3 for _ in range(2)]
    table[0][1] = x[0] * x[1]
    table[1][0] = table[0][1] * x[2]
    row = table[1]
    row[2] = row[0] + x[0]
    table.append(row)
    table[2][1] = x[2]
    return table[1][1] * table[1][2] + table[0][1]


def list_of_one_list_thrice(x):
    """The trap: three names of one list."""
    table = [[0.0, 1.0]] * 3
    table[0][0] = x * x
    table[2][1] = table[1][0] * x
    return table[0][0] * table[1][1] + table[2][0]


def list_holds_arrays(x):
    items = []
    for k in range(3):
        items.append(x * (k + 1.0))
        items[k][k] = x[0] * x[k]
    last = items.pop()
    last += items[0]
    items[1] = last
    items[0][:2] = items[1][1:]
    return (items[0] * items[1]).sum()


def list_of_mixed_items(x):
    items = [x, 2.0, x[0], "name", 3]
    items[0] = items[0] * items[1]
    items[1] = items[2] * items[4]
    items[3] = x[1]
    return items[0].sum() * items[1] * items[3]


def stack_machine(x, program):
    stack = []
    for op in program:
        if op == "x":
            stack.append(x)
        elif op == "+":
            a = stack.pop()
            b = stack.pop()
            stack.append(b + a)
        elif op == "*":
            a = stack.pop()
            b = stack.pop()
            stack.append(b * a)
        elif op == "dup":
            stack.append(stack[-1])
        else:
            stack.append(float(op))
    return stack.pop()


def queue_of_numbers(x):
    queue = [x, x * x]
    total = 0.0
    while queue:
        v = queue.pop(0)
        total += v * v
        if len(queue) < 3 and total < 6.0:
            queue.append(v + x)
            queue.insert(0, v * 0.5)
    return total


def worklist_of_intervals(x, depth):
    work = [(0.0, x, depth)]
    total = 0.0
    while work:
        a, b, level = work.pop()
        middle = 0.5 * (a + b)
        if level == 0:
            total += (b - a) * middle * middle
        else:
            work.append((a, middle, level - 1))
            work.append((middle, b, level - 1))
    return total


def list_written_in_branches(x, n):
    items = [x]
    for k in range(n):
        if k % 3 == 0:
            items.append(items[-1] * 1.5)
        elif k % 3 == 1:
            items[0] = items[0] + items[-1]
        elif len(items) > 1:
            items.pop(0)
    return sum(items) * items[0]


def list_argument_written(items):
    items[0] = items[1] * items[2]
    items.append(items[0] * 2.0)
    items[1] *= items[-1]
    return sum(items) * items[0]


def list_of_arrays_argument_written(items):
    items[0][0] = items[1][1] * 2.0
    items[1] *= items[0]
    items.append(items[0])
    items[2][1] = 3.0
    return (items[0] * items[1]).sum()


def list_shared_between_names(x):
    a = [x, 1.0]
    b = a
    c = list(a)
    d = a + []
    b[0] = x * x
    c[1] = b[0]
    d[0] *= 3.0
    return a[0] * b[0] * c[0] * c[1] * d[0]


def list_iterated_while_written(x):
    items = [x, 2.0 * x, x * x]
    for k, v in enumerate(items):
        items[k] = v * v
    for v in items:
        if len(items) < 5:
            items.append(v + 1.0)
    return sum(items)


def list_comprehension_written(x):
    items = [v * v for v in x]
    items[0] = 1.0
    return items[1] * 3.0


def list_comprehension_written_and_summed(x):
    items = [v * v for v in x]
    items[0] = items[1] * x[2]
    return sum(items)


def list_comprehension_of_written(x):
    y = x * x
    squares = [y[k] * y[k] for k in range(3)]
    y[0] = squares[1]
    after = [v for v in y]
    squares[2] = after[0]
    return sum(squares) * sum(after)


LISTS = [
    row(list_appended, 1.3, 3),
    row(list_appended_recurrence, 0.8),
    row(list_popped, vector(3)),
    row(list_inserted, vector(3)),
    row(list_extended, 0.7, 2),
    row(list_overwritten, 1.3),
    row(list_slice_replaced, vector(3)),
    row(list_cleared_reversed_removed, vector(3)),
    row(list_multiplied, vector(2)),
    row(list_of_lists_written, vector(3)),
    row(list_of_one_list_thrice, 1.3),
    row(list_holds_arrays, vector(3)),
    row(list_of_mixed_items, vector(2)),
    row(stack_machine, 1.3, ["x", "dup", "*", "3", "+", "x", "*", "dup", "x", "+", "*"], analytic=False),
    row(queue_of_numbers, 0.6),
    row(worklist_of_intervals, 1.7, 3),
    row(list_written_in_branches, 0.6, 8),
    row(list_argument_written, [0.5, 1.2, -0.7], writes_arguments=True),
    row(list_of_arrays_argument_written, [vector(2), vector(2, 2)], writes_arguments=True),
    row(list_shared_between_names, 1.3),
    row(list_iterated_while_written, 0.9),
    row(list_comprehension_written, vector(3), gradient=[0.0, 6.0 * vector(3)[1], 0.0]),
    row(list_comprehension_written_and_summed, vector(3)),
    row(list_comprehension_of_written, vector(3)),
]


# -- dicts ----------------------------------------------------------------------------------------


def dict_written(x):
    state = {"u": x, "v": 1.0}
    alias = state
    state["u"] = x * x
    alias["w"] = state["u"] * 2.0
    state["v"] *= alias["w"]
    alias["v"] += x
    return state["u"] * state["v"] + state["w"]


def dict_of_lists(x):
    groups = {}
    for k in range(len(x)):
        key = "even" if k % 2 == 0 else "odd"
        if key not in groups:
            groups[key] = []
        groups[key].append(x[k] * x[k])
    groups["odd"][0] = groups["even"][1] * x[1]
    return sum(groups["even"]) * sum(groups["odd"])


def dict_methods(x):
    state = {"a": x[0], "b": x[1]}
    state.update({"b": x[0] * x[1], "c": 2.0})
    state.setdefault("d", x[2])
    state.setdefault("a", 100.0)
    b = state.pop("b")
    state["a"] = state["a"] * b
    return sum(state.values()) * state["d"] + len(state)


def dict_memo(x, n):
    known = {0: x, 1: x * x}
    for k in range(2, n):
        if k not in known:
            known[k] = known[k - 1] * known[k - 2] + known[k // 2]
    return known[n - 1] * known[0]


def dict_keyed_by_numbers(x):
    grid = {}
    for i in range(2):
        for j in range(3):
            grid[i, j] = x[j] * (i + 1.0)
    grid[0, 1] += grid[1, 2] * grid[0, 0]
    grid[1, 1] = grid[0, 1] * grid[0, 1]
    return sum([grid[key] for key in grid]) * grid[1, 1]


def dict_summed_by_keys(x):
    grid = {}
    grid[0] = x[0]
    grid[1] = x[1] * x[0]
    return sum([grid[key] for key in grid])


def dict_of_arrays_updated(x):
    params = {"w": x * 1.0, "b": x[0] * 1.0}
    velocity = {"w": np.zeros_like(x), "b": 0.0}
    for _ in range(3):
        slope = {"w": params["w"] * 2.0 + params["b"], "b": params["b"] * 3.0}
        for key in params:
            velocity[key] = 0.5 * velocity[key] - 0.1 * slope[key]
            params[key] += velocity[key]
    return (params["w"] ** 2).sum() * params["b"]


def dict_argument_written(state):
    state["v"] += state["a"] * 0.5
    state["x"] += state["v"]
    state["new"] = state["x"] * 2.0
    return (state["new"] * state["v"]).sum()


def counted_by_default(x):
    sums = {}
    for k in range(len(x)):
        sums[k % 3] = sums.get(k % 3, 0.0) + x[k] * x[k]
    return sums[0] * sums[1] * sums[2]


DICTS = [
    row(dict_written, 1.3),
    row(dict_of_lists, vector(5)),
    row(dict_methods, vector(3)),
    row(dict_memo, 0.8, 6),
    row(dict_keyed_by_numbers, vector(3)),
    row(dict_summed_by_keys, vector(2)),
    row(dict_of_arrays_updated, vector(3)),
    row(
        dict_argument_written,
        {"x": vector(3), "v": vector(3, 2), "a": vector(3, 3)},
        writes_arguments=True,
    ),
    row(counted_by_default, vector(7)),
]


# -- objects --------------------------------------------------------------------------------------


@dataclass
class Particle:
    x: Any
    v: Any
    mass: float = 2.0

    def kick(self, force, dt):
        self.v += force / self.mass * dt

    def drift(self, dt):
        self.x = self.x + self.v * dt

    def step(self, dt):
        self.kick(-self.x, dt)
        self.drift(dt)
        return self

    def energy(self):
        return (self.v * self.v + self.x * self.x).sum()


@dataclass
class History:
    items: list = field(default_factory=list)
    total: Any = 0.0

    def record(self, value):
        self.items.append(value)
        self.total = self.total + value
        return len(self.items)


class Accumulator:
    def __init__(self, start):
        self.total = start
        self.count = 0

    def add(self, value):
        self.total += value
        self.count += 1

    def mean(self):
        return self.total / self.count


class Grid:
    def __init__(self, n, like):
        self.u = np.zeros(n, like.dtype)
        self.next = None

    def set(self, k, value):
        self.u[k] = value

    def smooth(self):
        self.u[1:-1] += 0.1 * (self.u[:-2] + self.u[2:] - 2.0 * self.u[1:-1])

    @property
    def mid(self):
        return self.u[len(self.u) // 2]


class Node:
    def __init__(self, value, left=None, right=None):
        self.value, self.left, self.right = value, left, right


def object_attributes_written(x):
    p = Particle(x[0], x[1])
    q = p
    p.x = x[0] * x[1]
    q.v *= p.x
    p.mass = q.v + 1.0
    return q.x * p.v * q.mass


def object_methods_update(x):
    p = Particle(x * 1.0, x * x)
    for _ in range(3):
        p.kick(p.x * p.x, 0.1)
        p.drift(0.5)
    return p.energy()


def object_methods_chained(x):
    p = Particle(x * 1.0, x * 0.5)
    return p.step(0.1).step(0.2).step(0.3).energy()


def object_numbers_accumulated(x):
    total = Accumulator(x[0])
    for v in x:
        if v > 0.0:
            total.add(v * v)
    return total.mean() * total.total


def object_array_attribute_written(x):
    grid = Grid(5, x)
    for k in range(3):
        grid.set(k + 1, x[k] * x[0])
    grid.u[0] = x[1]
    u = grid.u
    u[4] = grid.mid * x[2]
    for _ in range(2):
        grid.smooth()
    grid.u *= 2.0
    return (u * u).sum()


def object_holds_list(x):
    history = History()
    for v in x:
        if history.record(v * v) > 2:
            history.items[0] *= history.items[-1]
    return history.total * history.items[0]


def objects_linked(x):
    first = Node(x[0])
    first.right = Node(x[1] * x[0])
    first.left = first.right
    first.left.value *= x[2]
    first.value = first.right.value * 2.0
    return first.value * first.left.value


def objects_linked_list(x):
    head = None
    for v in x:
        head = Node(v * v, head)
    node = head
    while node.left is not None:
        node.left.value += node.value * x[0]
        node = node.left
    return node.value


def objects_in_a_list(x):
    particles = [Particle(x[k], x[k] * x[0]) for k in range(3)]
    for p in particles:
        for q in particles:
            if p is not q:
                p.v += (q.x - p.x) * q.mass * 0.1
    for p in particles:
        p.x += p.v
    return particles[0].x * particles[1].x * particles[2].v


def object_argument_written(x, p):
    p.v += x
    p.x[0] = p.v[1] * x[0]
    p.mass = p.mass * 2.0
    p.drift(0.1)
    return (p.x * p.v).sum() * p.mass


def object_argument_attribute_replaced(x, holder):
    old = holder.u
    holder.u = x * x
    holder.u[0] = old[1]
    holder.count = 3
    return (holder.u * old).sum() * holder.count


class Layer:
    def __init__(self, w):
        self.w = w.copy()
        self.slope = np.zeros_like(w)

    def backward(self, x, d):
        self.slope += x.T @ d
        return d @ self.w.T

    def update(self, rate):
        self.w -= rate * self.slope
        self.slope[...] = 0.0


def object_method_for_its_effect_only(w, x):
    layer = Layer(w)
    for _ in range(2):
        layer.backward(x, x @ layer.w)
        layer.update(0.1)
    return (layer.w * layer.w).sum()


def object_argument_updated_by_a_method(x, p):
    p.v = x
    p.drift(0.1)
    return p.x.sum()


def object_swaps_attributes(x):
    grid = Grid(4, x)
    grid.u[:3] = x
    grid.next = np.zeros_like(grid.u)
    for _ in range(3):
        grid.next[1:] = grid.u[:-1] * grid.u[1:] + 1.0
        grid.next[0] = x[0]
        grid.u, grid.next = grid.next, grid.u
    return (grid.u * grid.next).sum()


class Holder:
    def __init__(self, u):
        self.u = u
        self.count = 0


OBJECTS = [
    row(object_attributes_written, vector(2)),
    row(object_methods_update, vector(2)),
    row(object_methods_chained, vector(2)),
    row(object_numbers_accumulated, vector(5)),
    row(object_array_attribute_written, vector(3)),
    row(object_holds_list, vector(4)),
    row(objects_linked, vector(3)),
    row(objects_linked_list, vector(4)),
    row(objects_in_a_list, vector(3)),
    row(
        object_argument_written,
        vector(2),
        Particle(vector(2, 2), vector(2, 3)),
        writes_arguments=True,
        analytic=False,
    ),
    row(object_argument_attribute_replaced, vector(2), Holder(vector(2, 2)), writes_arguments=True),
    row(
        object_argument_updated_by_a_method,
        vector(2),
        Particle(vector(2, 2), vector(2, 3)),
        gradient=[0.1, 0.1],
        writes_arguments=True,
    ),
    row(object_method_for_its_effect_only, matrix(2, 2), matrix(3, 2, 2), wrt=(0, 1)),
    row(object_swaps_attributes, vector(3)),
]


# -- closures and called functions ----------------------------------------------------------------


def closure_writes_array(x):
    y = x * x

    def set_element(k, value):
        y[k] = value * y[0]

    set_element(1, x[0])
    set_element(0, x[2])
    set_element(2, y[1])
    return (y * y).sum()


def closure_writes_list(x):
    items = []

    def push(value):
        items.append(value * x)
        return len(items)

    n = push(x) + push(2.0)
    push(items[0] * n)
    return items[0] * items[1] * items[2]


def closure_reads_after_write(x):
    y = x * x

    def total():
        return (y * y).sum()

    before = total()
    y[0] = x[1]
    return before * total()


def closure_called_then_rebound(t, x):
    a, b = t, t * 0.5
    if t > 9.0:
        for a in x:
            a = a
        for k in range(3):
            a += a
    elif t > 8.0:
        a = b

    def inner(p):
        return p * b + 0.3

    c = inner(a)
    b = x @ (x * a)
    return a + b * c


def closure_called_then_written(x):
    y = x * x

    def inner(p):
        return p * y[0] + y[1]

    a = inner(x[0])
    y[0] = a * x[1]
    y = y * inner(a)
    return y.sum() + inner(1.0)


def writes_first(*a):
    a[0][0] *= a[1][1]
    return a[0]


def starred_arguments_written(x):
    y, z = x * 1.0, x * 2.0
    return (writes_first(y, z) * z).sum()


def adds_up(*a):
    total = a[0] * 0.0
    for part in a:
        total += part
    return total


def starred_arguments_added_up(x):
    return (adds_up(x, x * x) * x).sum()


def writes_named(**k):
    k["y"][0] *= k["z"][1]
    return k["y"]


def named_arguments_written(x):
    y, z = x * 1.0, x * 2.0
    return (writes_named(y=y, z=z) * z).sum()


def writes_and_reads(scale, *a):
    a[0][0] *= scale
    return a[0].sum() * a[1]


def starred_numbers_and_arrays(x):
    y = x * 1.0
    return writes_and_reads(x[0], y, x[1])


def triples_first(y):
    y[0] = y[0] * 3.0
    return y[0]


def item_read_before_its_update(x):
    y = x * 1.0
    y[0] += triples_first(y)
    return (y * x).sum()


def item_of_list_read_before_its_update(x):
    items = [x[0], x[1], x[2]]
    items[-2] += items.pop()
    return items[0] * items[1]


def item_of_table_read_before_its_update(x):
    table = {0: x[0], 1: x[1]}
    table[0] *= triples_first(table) + table[1]
    return table[0]


def repeated_then_stored(x):
    y = [x * 1.0] * 2
    y[0] = y[0] + 1.0
    return (y[1] * x).sum()


def repeated_tuple_then_written(x):
    y = (x * 1.0,) * 2
    y[0][0] = 3.0
    return (y[1] * x).sum()


def repeated_lists_then_stored(x):
    y = [[x[0]]] * 2
    y[0] = [x[1]]
    y[1][0] *= x[2]
    return y[1][0] * y[0][0]


def repeated_by_a_flag(x):
    y = True * [x * 1.0]
    y[0][1] = x[0]
    return (y[0] * x).sum()


def real_view_written(x):
    y = x * 1.0
    v = np.real(y)
    v *= v
    return (y * x).sum()


def nan_to_num_without_copy(x):
    y = x * 1.0
    v = np.nan_to_num(y, copy=False)
    v *= v
    y[1] *= 2.0
    return (y * v).sum()


def float64_of_an_array_written(x):
    y = x * 1.0
    v = np.float64(y)
    v[0] *= v[1]
    return (y * y).sum()


def heap_from_nothing(x):
    heap = []
    for v in x:
        heapq.heappush(heap, v * v)
    return heapq.heappop(heap) + 2.0 * heapq.heappop(heap)


def list_grows_in_its_loop(x):
    items, total = [x[0], x[1]], 0.0
    for v in items:
        if len(items) < 5:
            items.append(v * x[2])
        total += v
    return total


def worklist_with_break(x):
    queue, total = [(x[0], 0)], 0.0
    for v, depth in queue:
        total += v * x[depth]
        if total > 40.0:
            break
        if depth < 2:
            queue.append((v * x[1], depth + 1))
            queue.append((v + x[2], depth + 1))
    return total * len(queue)


def list_shrinks_in_its_loop(x):
    items, total = [x[0], x[1], x[2], x[0] * x[1]], 0.0
    for v in items:
        total += v * items.pop()
    return total


def list_grows_after_its_loop(x):
    items, total = [x[0], x[1]], 0.0
    for v in items:
        total += v * v
    items.append(total)
    for k, v in enumerate(items):
        total += v * k
    return total


def closure_counter(x):
    count = [0]

    def bump(v):
        count[0] += 1
        return v * count[0]

    return bump(x) * bump(x * x) + bump(x)


def lambda_writes(x):
    y = x * x
    put = lambda k, v: np.copyto(y[k : k + 1], v)
    put(0, x[1])
    put(2, y[0] * x[0])
    return (y * y).sum()


def closure_of_closure(x):
    buffer = np.zeros_like(x)

    def writer(k):
        def write(value):
            buffer[k] += value

        return write

    writer(0)(x[1] * x[2])
    writer(1)(buffer[0] * x[0])
    writer(0)(x[0])
    return (buffer * buffer).sum()


def double_in_place(a):
    a *= 2.0


def scale_row(a, k, factor):
    row = a[k]
    row *= factor
    double_in_place(row[1:])


def scale_all(a, factors):
    for k in range(len(a)):
        scale_row(a, k, factors[k])
    return a


def add_into(target, source):
    target += source
    return target


def put_into(target, k, value):
    target[k] = value


def called_writes(x):
    y = x * x
    put_into(y, 0, x[1] * x[2])
    put_into(y[1:], 1, y[0])
    return (y * y).sum()


def called_several_levels(m, x):
    a = m * m
    b = scale_all(a, x)
    b[0, 0] = x[0]
    return (a * a).sum()


def called_returns_the_array(x):
    y = x * x
    z = add_into(y, x)
    z[0] *= y[1]
    add_into(add_into(z, x), y)
    return (y * x).sum()


def called_with_one_array_twice(x):
    y = x * x
    add_into(y, y)
    add_into(y[1:], y[:-1])
    return (y * x).sum()


def called_with_keyword_and_default(x):
    def clear(a, start=1, *, value=0.5):
        a[start:] = value

    y = x * x
    clear(y, value=x[0])
    clear(y, 2)
    return (y * x).sum()


def add_product(total, x, d):
    total += x.T @ d
    return d @ total


def called_for_its_effect_only(x, w):
    """The result has a derivative, and nobody takes it."""
    total = np.zeros_like(w)
    add_product(total, x, x @ w)
    return (total * total).sum()


def called_writes_list(x):
    def push_twice(items, v):
        items.append(v)
        items.append(v * v)

    items = [x]
    push_twice(items, x * 2.0)
    push_twice(items, items[2])
    return items[1] * items[2] + items[4]


def called_in_a_loop(x):
    y = x * 1.0
    buffer = np.empty_like(x)

    def step(now, then):
        then[1:] = now[:-1] * now[1:]
        then[0] = now[-1]

    for _ in range(3):
        step(y, buffer)
        y, buffer = buffer, y
    return (y * buffer).sum()


def called_in_branches(x):
    y = x * x
    if x[0] > 0.0:
        double_in_place(y[:2])
    else:
        put_into(y, 1, x[0])
    if add_into(y, x)[0] > 0.0:
        y[0] = x[2]
    return (y * y).sum()


def called_by_starred(x):
    y = x * x
    arguments = (y, 1, x[0])
    put_into(*arguments)
    put_into(**{"target": y, "k": 0, "value": y[1] * x[1]})
    return (y * y).sum()


def called_from_a_list(x):
    y = x * x
    for write in [double_in_place, lambda a: put_into(a, 0, x[1])]:
        write(y)
    return (y * y).sum()


def argument_written(x):
    x[0] = x[1] * x[2]
    x[1:] += x[0]
    return (x * x).sum()


def argument_written_whole(x):
    x *= x
    x += 1.0
    return (x * x).sum()


def argument_written_in_a_branch(x, n):
    y = x[:2]
    for k in range(n):
        if k == 1:
            y[0] = x[1] * x[2]
    return (x * x).sum()


def argument_written_by_called(m, x):
    scale_all(m, x)
    put_into(x, 0, m[0, 1])
    return (m * m).sum() * x.sum()


def argument_reshaped_and_written(m):
    flat = m.reshape(-1)
    flat[1] = flat[0] * flat[2]
    return (m * m).sum() + flat[1]


def argument_buffer(x, buffer):
    buffer[:] = x * x
    buffer[0] *= buffer[1]
    np.sin(buffer, out=buffer)
    return buffer.sum()


def argument_of_integers_written(x, order):
    order[0], order[1] = order[1], order[0]
    y = x[order] * np.arange(1.0, 4.0)
    order += 1
    return (y * x[order % 3]).sum()


def argument_read_after_write(x, y):
    total = (x * y).sum()
    y[:] = x
    x[0] = 2.0
    return total * (x * y).sum()


def arguments_swapped(x, y):
    x, y = y, x
    x[0] = y[1]
    y *= 2.0
    return (x * x * y).sum()


def recursion_halves(y, x):
    if len(y) > 1:
        half = len(y) // 2
        recursion_halves(y[:half], x)
        recursion_halves(y[half:], x)
        y[half:] += y[half - 1] * x
    return y


def recursion_writes(x):
    y = x * 1.0
    recursion_halves(y, x[0])
    return (y * y).sum()


def recursion_on_a_list(x, n):
    def build(items, n):
        if n > 0:
            items.append(items[-1] * x + 1.0)
            build(items, n - 1)
            items[0] += items[-1]

    items = [x]
    build(items, n)
    return items[0] * items[1]


def recursion_on_objects(x):
    def insert(node, value):
        if value < node.value:
            if node.left is None:
                node.left = Node(value)
            else:
                insert(node.left, value)
        elif node.right is None:
            node.right = Node(value)
        else:
            insert(node.right, value)

    def walk(node, out):
        if node is not None:
            walk(node.left, out)
            out.append(node.value)
            walk(node.right, out)

    root = Node(x[0])
    for v in x[1:]:
        insert(root, v)
    out = []
    walk(root, out)
    total = x[0] * 0.0
    for k in range(len(out)):
        total = total + out[k] * out[k] * (k + 1.0)
    return total


def default_buffer_is_made_anew(x):
    def total(v, out=None):
        if out is None:
            out = np.zeros_like(v)
        out += v * v
        return out

    first = total(x)
    total(x, first)
    return (total(x[::-1], first) * x).sum()


CALLS = [
    row(closure_writes_array, vector(3)),
    row(closure_writes_list, 1.3),
    row(closure_reads_after_write, vector(3)),
    row(closure_called_then_rebound, 1.3, vector(3), wrt=(0, 1)),
    row(closure_called_then_written, vector(3)),
    row(starred_arguments_written, vector(3)),
    row(starred_arguments_added_up, vector(3)),
    row(named_arguments_written, vector(3)),
    row(starred_numbers_and_arrays, vector(3)),
    row(item_read_before_its_update, vector(3)),
    row(item_of_list_read_before_its_update, vector(3)),
    row(item_of_table_read_before_its_update, vector(3)),
    row(repeated_then_stored, vector(3)),
    row(repeated_tuple_then_written, vector(3)),
    row(repeated_lists_then_stored, vector(3)),
    row(repeated_by_a_flag, vector(3)),
    row(real_view_written, vector(3), analytic=False),
    row(nan_to_num_without_copy, vector(3)),
    row(float64_of_an_array_written, vector(3), analytic=False),
    row(heap_from_nothing, vector(3)),
    row(list_grows_in_its_loop, vector(3)),
    row(worklist_with_break, vector(3)),
    row(list_shrinks_in_its_loop, vector(3)),
    row(list_grows_after_its_loop, vector(3)),
    row(closure_counter, 1.3),
    row(lambda_writes, vector(3)),
    row(closure_of_closure, vector(3)),
    row(called_writes, vector(3)),
    row(called_several_levels, matrix(2, 3), vector(2, 2), wrt=(0, 1)),
    row(called_returns_the_array, vector(3)),
    row(called_with_one_array_twice, vector(3)),
    row(called_with_keyword_and_default, vector(3)),
    row(called_for_its_effect_only, matrix(2, 2), matrix(2, 2, 2), wrt=(0, 1)),
    row(called_writes_list, 1.3),
    row(called_in_a_loop, vector(4)),
    row(called_in_branches, vector(3)),
    row(called_in_branches, -vector(3), suffix="_other"),
    row(argument_written, vector(3), writes_arguments=True),
    row(argument_written, single(vector(3)), suffix="_float32", writes_arguments=True),
    row(argument_written, vector(6)[::-2], suffix="_strided", writes_arguments=True),
    row(argument_written_whole, vector(3), writes_arguments=True),
    row(argument_written_in_a_branch, vector(3), 2, writes_arguments=True),
    row(argument_written_in_a_branch, vector(3), 1, suffix="_untaken"),
    row(argument_written_by_called, matrix(2, 3), vector(2, 2), wrt=(0, 1), writes_arguments=True),
    row(argument_reshaped_and_written, matrix(2, 2), writes_arguments=True),
    row(argument_reshaped_and_written, matrix(2, 2).T, suffix="_transposed"),
    row(argument_buffer, vector(3), np.zeros(3), wrt=(0, 1), writes_arguments=True),
    row(argument_of_integers_written, vector(3), np.array([2, 0, 1]), writes_arguments=True),
    row(argument_read_after_write, vector(3), vector(3, 2), wrt=(0, 1), writes_arguments=True),
    row(arguments_swapped, vector(3), vector(3, 2), wrt=(0, 1), writes_arguments=True),
    row(recursion_writes, vector(8)),
    row(recursion_on_a_list, 0.8, 3),
    row(recursion_on_objects, vector(6)),
    row(default_buffer_is_made_anew, vector(3)),
]


PROGRAMS: list[InPlace] = [
    *THE_FIVE,
    *STORES,
    *AUGMENTED,
    *WRITERS,
    *SWAPS,
    *VIEWS,
    *DTYPES,
    *CONTROL,
    *LISTS,
    *DICTS,
    *OBJECTS,
    *CALLS,
]


# -- right or refused -----------------------------------------------------------------------------
# Beyond what issue 4 promises; a silently wrong gradient is the one thing that must not happen.


def deque_of_numbers(x):
    window = collections.deque([x[0], x[1]], maxlen=3)
    total = x[0] * 0.0
    for v in x[2:]:
        window.append(v * window[0])
        total = total + window[-1] * window[0]
    return total * window.popleft()


def out_where(x):
    y = x * 1.0
    np.multiply(x, x, out=y, where=x > 0.0)
    np.add(y, 2.0, where=np.array([True, False, True, False]), out=y)
    return (y * y).sum()


def view_plain(x):
    y = x * x
    v = y.view()
    v[1] = x[0]
    return (y * v).sum()


def sliding_windows_see_the_store(x):
    y = x * x
    windows = np.lib.stride_tricks.sliding_window_view(y, 2)
    y[1] = x[0] * 2.0
    return (windows * windows).sum() * windows[1, 0]


def out_of_reduce(m):
    a = m * m
    np.add.reduce(a, axis=0, out=a[0])
    return (a * a).sum()


def out_with_casting(x, low):
    y = low * low
    np.multiply(x, y, out=y, casting="same_kind")
    return (y * y).sum()


def put(x):
    y = x * x
    np.put(y, [0, 2], x[1] * x[:2])
    y.put([1], 3.0)
    return (y * y).sum()


def putmask(x):
    y = x * x
    np.putmask(y, x > 0.0, x * 2.0)
    return (y * y).sum()


def place(x):
    y = x * x
    np.place(y, x > 0.0, [1.0, 2.0])
    return (y * y).sum()


def put_along_axis(m):
    a = m * m
    np.put_along_axis(a, np.array([[0], [1]]), m[0, 0], axis=1)
    return (a * a).sum()


def out_of_concatenate(x):
    y = np.empty(6, x.dtype)
    np.concatenate([x, x * x], out=y)
    return (y * y).sum()


def out_of_stack_and_take(x):
    a = np.empty((2, 3), x.dtype)
    np.stack([x, x * x], out=a)
    np.take(x, [2, 0, 1], out=a[1], mode="clip")
    return (a * a).sum()


def flat_written(m):
    a = m * m
    a.flat[1] = m[0, 0]
    a.flat[:: len(a) + 1] = 2.0
    return (a * m).sum()


def partition_in_place(x):
    y = x * x
    y.partition(2)
    return y[2] * x[0]


def nan_to_num_in_place(x):
    y = x * x
    np.nan_to_num(y, copy=False)
    return (y * x).sum()


def multiply_at(x):
    y = x * x
    np.multiply.at(y, [0, 0, 1], x)
    return (y * y).sum()


def maximum_at(x):
    y = x * x
    np.maximum.at(y, [0, 0, 1], x)
    return (y * y).sum()


def shape_assigned(m):
    a = m * m
    a.shape = (6,)
    a[1] = m[0, 0]
    return (a * a).sum()


def reshaped_list_of_rows(x):
    y = x * 1.0
    v = np.reshape([y[0], y[1]], -1)
    y[0] = 1.0
    return (v * v).sum() + y.sum()


def real_part_written(x):
    y = x * x
    y.real[0] = 3.0
    return (y * x).sum()


def strided_view_overlapping_itself(x):
    y = x * x
    v = np.lib.stride_tricks.as_strided(y, (2, 2), (y.itemsize, y.itemsize))
    v += 1.0
    return (y * x).sum()


def memory_view_written(x):
    y = x * x
    memoryview(y)[0] = 3.0
    return (y * x).sum()


def nditer_written(x):
    y = x * x
    with np.nditer(y, op_flags=["readwrite"]) as it:
        for v in it:
            v[...] = v * 2.0
    return (y * x).sum()


def set_by_setattr(x):
    holder = Holder(x)
    setattr(holder, "u", x * x)
    return (holder.u * x).sum()


def written_through_vars(x):
    holder = Holder(x)
    vars(holder)["u"] = x * x
    holder.__dict__["count"] = x[0]
    return (holder.u * x).sum() * holder.count


def sorted_list_in_place(x):
    items = [x[0], x[1], x[2]]
    items.sort()
    return items[0] * items[2] * 3.0 + items[1]


def set_attribute_of_a_function(x):
    def f(v):
        return v * f.factor

    f.factor = x[0]
    return f(x[1])


def heap(x):
    import heapq

    items = []
    for v in x:
        heapq.heappush(items, v)
    return heapq.heappop(items) * heapq.heappop(items)


def dunder_setitem(x):
    y = x * x
    y.__setitem__(0, x[1])
    np.ndarray.__setitem__(y, 1, x[0])
    return (y * x).sum()


def dunder_iadd(x):
    y = x * x
    y.__iadd__(x)
    return (y * x).sum()


def operator_writes(x):
    import operator

    y = x * x
    operator.setitem(y, 0, x[1])
    operator.iadd(y, x)
    return (y * x).sum()


def deleted_items(x):
    items = [x[0], x[1], x[2]]
    del items[0]
    return items[0] * items[1]


def nonlocal_written(x):
    total = x[0]

    def add(v):
        nonlocal total
        total = total * v

    add(x[1])
    return total


def shuffled(x):
    y = x * x
    rng = np.random.default_rng(3)
    rng.shuffle(y)
    return (y * x).sum()


RIGHT_OR_REFUSED = [
    row(called_by_starred, vector(3)),
    row(called_from_a_list, vector(3)),
    row(out_of_reduce, matrix(3, 3)),
    row(
        out_with_casting,
        vector(3),
        single(vector(3, 2)),
        wrt=(0, 1),
        analytic=False,
        tolerance=1e-4,
        step=60.0,
    ),
    row(sliding_windows_see_the_store, vector(4)),
    row(view_plain, vector(3)),
    row(out_where, vector(4)),
    row(put, vector(4)),
    row(putmask, vector(4)),
    row(place, vector(4)),
    row(put_along_axis, matrix(2, 2)),
    row(out_of_concatenate, vector(3)),
    row(out_of_stack_and_take, vector(3)),
    row(flat_written, matrix(2, 2)),
    row(partition_in_place, vector(5)),
    row(nan_to_num_in_place, vector(3), analytic=False),
    row(multiply_at, vector(3)),
    row(maximum_at, vector(3)),
    row(shape_assigned, matrix(2, 3)),
    row(real_part_written, vector(3), analytic=False),
    row(reshaped_list_of_rows, matrix(3, 2)),
    row(strided_view_overlapping_itself, vector(3), analytic=False),
    row(memory_view_written, vector(3), analytic=False),
    row(nditer_written, vector(3)),
    row(set_by_setattr, vector(3)),
    row(written_through_vars, vector(3)),
    row(sorted_list_in_place, vector(3)),
    row(set_attribute_of_a_function, vector(2)),
    row(heap, vector(4)),
    row(dunder_setitem, vector(3)),
    row(dunder_iadd, vector(3)),
    row(operator_writes, vector(3)),
    row(deleted_items, vector(3)),
    row(deque_of_numbers, vector(5)),
    row(nonlocal_written, vector(2)),
    row(shuffled, vector(4)),
]


# -- refused --------------------------------------------------------------------------------------

GLOBAL_ARRAY = np.ones(3)
GLOBAL_LIST = [1.0]
GLOBAL_DICT = {"a": 1.0}
GLOBAL_OBJECT = Holder(np.ones(3))


class Counter:
    """`total` is an attribute of the class."""

    total = 0.0

    def __init__(self):
        self.buffer = np.zeros(3)

    def add(self, x):
        self.buffer += x
        return self.buffer.sum()


COUNTER = Counter()


def global_element(x):
    GLOBAL_ARRAY[0] = x[0]
    return (GLOBAL_ARRAY * x).sum()


def global_whole(x):
    y = GLOBAL_ARRAY
    y += x
    return y.sum()


def global_view(x):
    GLOBAL_ARRAY[1:][0] = x[0]
    return GLOBAL_ARRAY.sum()


def global_out(x):
    np.multiply(x, x, out=GLOBAL_ARRAY)
    return GLOBAL_ARRAY.sum()


def global_by_called(x):
    put_into(GLOBAL_ARRAY, 0, x[0])
    return GLOBAL_ARRAY.sum()


def global_appended(x):
    GLOBAL_LIST.append(x[0])
    return sum(GLOBAL_LIST)


def global_item(x):
    GLOBAL_DICT["a"] = x[0]
    return GLOBAL_DICT["a"]


def global_attribute(x):
    GLOBAL_OBJECT.u = x
    return GLOBAL_OBJECT.u.sum()


def global_array_of_object(x):
    GLOBAL_OBJECT.u[0] = x[0]
    return GLOBAL_OBJECT.u.sum()


def global_by_method(x):
    return COUNTER.add(x)


def global_in_a_list(x):
    items = [x * x, GLOBAL_ARRAY]
    for item in items:
        item[0] = x[1]
    return items[0].sum()


def global_or_own(x):
    y = GLOBAL_ARRAY if x[0] > 100.0 else x * x
    y[0] = x[1]
    return y.sum()


def global_to_increments(x):
    y = x * x
    y[0] = x[1]
    np.add.at(GLOBAL_ARRAY, [0, 1], y[:2])
    return GLOBAL_ARRAY.sum()


def class_attribute(x):
    Counter.total = x[0]
    return Counter.total * x[1]


def attribute_of_itself(x):
    attribute_of_itself.last = x[0]
    return x.sum()


def factory_of_array():
    buffer = np.zeros(3)

    def keeps_array(x):
        buffer[0] = x[0]
        return (buffer * x).sum()

    return keeps_array


def factory_of_list():
    seen = []

    def keeps_list(x):
        seen.append(x[0])
        return sum(seen)

    return keeps_list


def factory_of_object():
    counter = Counter()

    def keeps_object(x):
        return counter.add(x) * x[0]

    return keeps_object


def two_arguments(x, y):
    x[0] = y[1] * 2.0
    return (x * y).sum()


def array_and_its_list(x, items):
    items[0][0] = x[1] * 2.0
    return (x * items[0]).sum()


def array_resized(x):
    y = x * x
    y.resize(5)
    return y.sum()


def array_resized_by_reference(x):
    y = x * x
    y[0] = 1.0
    y.resize((3, 1), refcheck=False)
    return y.sum()


def random_out(x):
    y = x * x
    np.random.default_rng(0).random(out=y)
    return (y * x).sum()


def random_normal_out(x):
    y = x * x
    rng = np.random.default_rng(0)
    rng.standard_normal(out=y[1:])
    return (y * x).sum()


def keeps(v, seen=[]):  # noqa: B006
    seen.append(v)
    return seen


def default_list(x):
    keeps(x[0])
    return keeps(x[1])[-1] * x[2]


def tabulates(v, table={}):  # noqa: B006
    table["k"] = v
    return table


def default_table(x):
    return tabulates(x[0])["k"] ** 2


def adds_to(v, *, total=np.zeros(2)):  # noqa: B008
    total[0] += v
    return total[0]


def default_array(x):
    return adds_to(x[0]) * adds_to(x[1])


class Shared:
    buffer = np.zeros(2)
    seen = []


def array_of_class(x):
    Shared.buffer[0] += x[0]
    return Shared.buffer[0] ** 2


def array_of_class_renamed(x):
    b = Shared.buffer
    b[0] += x[0]
    return b[0] ** 2


def array_of_class_through_object(x):
    one, other = Shared(), Shared()
    one.buffer[0] += x[0]
    return other.buffer[0] ** 2


def list_of_class(x):
    Shared.seen.append(x[0])
    return Shared.seen[-1] ** 2


def array_of_class_as_out(x):
    np.add(x[:2], x[:2], out=Shared.buffer)
    return Shared.buffer[0] ** 2


def array_of_class_given_away(x):
    triples_first(Shared.buffer)
    return x[0]


def dictionary_of_object(x):
    one = Shared()
    one.__dict__["z"] = x[0]
    return one.z**2


def list_grows_in_its_zipped_loop(x):
    items, total = [x[0], x[1]], 0.0
    for v, w in zip(items, x):
        items.append(v * w)
        total += v
    return total


def base_written(x):
    y = x * 1.0
    v = y[1:]
    v.base[0] = x[1]
    return (y * y).sum()


def flat_written(x):
    y = x * 1.0
    y.flat[0] = x[1]
    return (y * y).sum()


def record_written(x):
    y = np.zeros(2, dtype=[("a", float), ("b", float)])
    y["a"] = x[:2]
    y["b"] = y["a"] ** 2
    return np.sum(y["b"])


GIVEN = vector(3)


def argument_is_a_global(x):
    x[0] = x[1] * 2.0
    return (x * GIVEN).sum()


MEMORY = vector(6)

REFUSED: list[tuple[Callable[..., Any], tuple[Any, ...], str]] = [
    (global_element, (vector(3),), "'GLOBAL_ARRAY'"),
    (global_whole, (vector(3),), "'GLOBAL_ARRAY'"),
    (global_view, (vector(3),), "'GLOBAL_ARRAY'"),
    (global_out, (vector(3),), "'GLOBAL_ARRAY'"),
    (global_by_called, (vector(3),), "'GLOBAL_ARRAY'"),
    (global_appended, (vector(3),), "'GLOBAL_LIST'"),
    (global_item, (vector(3),), "'GLOBAL_DICT'"),
    (global_attribute, (vector(3),), "'GLOBAL_OBJECT'"),
    (global_array_of_object, (vector(3),), "'GLOBAL_OBJECT'"),
    (global_by_method, (vector(3),), "'COUNTER'"),
    (global_in_a_list, (vector(3),), "'GLOBAL_ARRAY'"),
    (global_or_own, (vector(3),), "'GLOBAL_ARRAY'"),
    (global_to_increments, (vector(3),), "'GLOBAL_ARRAY'"),
    (class_attribute, (vector(3),), "class"),
    (attribute_of_itself, (vector(3),), "function"),
    (factory_of_array(), (vector(3),), "'buffer'"),
    (factory_of_list(), (vector(3),), "'seen'"),
    (factory_of_object(), (vector(3),), "'counter'"),
    (two_arguments, (MEMORY, MEMORY), "share memory"),
    (two_arguments, (MEMORY[:4], MEMORY[2:]), "share memory"),
    (two_arguments, (MEMORY[:3], MEMORY[::-1]), "share memory"),
    (array_and_its_list, (MEMORY, [MEMORY]), "share memory"),
    (default_list, (vector(3),), "not the function's own"),
    (default_table, (vector(3),), "not the function's own"),
    (default_array, (vector(3),), "not the function's own"),
    (array_of_class, (vector(3),), "not the function's own"),
    (array_of_class_renamed, (vector(3),), "not the function's own"),
    (array_of_class_through_object, (vector(3),), "'buffer' of Shared"),
    (list_of_class, (vector(3),), "not the function's own"),
    (array_of_class_as_out, (vector(3),), "not the function's own"),
    (array_of_class_given_away, (vector(3),), "not the function's own"),
    (dictionary_of_object, (vector(3),), "the dictionary of an object's attributes"),
    (list_grows_in_its_zipped_loop, (vector(3),), "a list grows"),
    (base_written, (vector(3),), ".base"),
    (flat_written, (vector(3),), "'flat'"),
    (record_written, (vector(3),), "stored in an array of"),
    (argument_is_a_global, (GIVEN,), "'x' and 'GIVEN' share memory"),
    (argument_is_a_global, (GIVEN[::-1],), "'x' and 'GIVEN' share memory"),
    (array_resized, (vector(3),), "resize"),
    (array_resized_by_reference, (vector(3),), "resize"),
    (random_out, (vector(3),), "random numbers"),
    (random_normal_out, (vector(3),), "random numbers"),
]
"""Functions, arguments, and a part of the message: these must stay refused."""
