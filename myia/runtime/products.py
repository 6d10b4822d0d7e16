"""Products of arrays, and what their backprops call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy import cross, dot, einsum, inner, kron, matmul, outer, tensordot, vdot

from myia import _runtime as rt
from myia._runtime import Array
from myia.errors import MissingRule
from myia.runtime.adjoints import unbroadcast
from myia.runtime.construct import typed

__all__ = [
    "OuterSum",
    "array_dot",
    "array_transpose",
    "cross",
    "cross_left",
    "cross_right",
    "dot",
    "dot_left",
    "dot_right",
    "einsum",
    "einsum_backward",
    "inner",
    "inner_left",
    "inner_right",
    "kron",
    "kron_left",
    "kron_right",
    "linalg_multi_dot",
    "matmul",
    "matmul_left",
    "matvec",
    "matmul_right",
    "multi_dot_backward",
    "outer",
    "outer_left",
    "outer_right",
    "tensordot",
    "tensordot_left",
    "tensordot_right",
    "vdot",
    "vdot_backward",
    "vector_outer",
]

array_dot = np.ndarray.dot
array_transpose = np.ndarray.transpose
linalg_multi_dot = np.linalg.multi_dot


def matvec(a: Any, x: Any) -> Any:
    """`a @ x` for a matrix and a vector."""
    return np.matmul(a, x)


def vector_outer(u: Any, v: Any) -> Any:
    """The outer product of two vectors, of shape (len(u), len(v))."""
    return u[:, None] * v


class OuterSum:
    """A sum of outer products of vectors, added to a matrix in blocks: one matrix product for many.

    `total` has shape (n, m); `add(u, v)` takes vectors of n and m elements and keeps them, unchanged,
    until `finish` or until a block is full: some dozens of vectors, and not much more memory than the matrix.
    The order of summation is BLAS's.
    """

    __slots__ = ("add", "left", "right", "total")

    def __init__(self, total: Any) -> None:
        self.total = total
        self.left: list[Any] = []
        self.right: list[Any] = []
        self.add = self._adder()

    def _adder(self) -> Callable[[Any, Any], None]:
        # A closure: it runs at every step of a loop, and looks up no attribute.
        left, right = self.left, self.right
        push_left, push_right, finish = left.append, right.append, self.finish
        most = _block(*self.total.shape)

        def add(u: Any, v: Any) -> None:
            push_left(u)
            push_right(v)
            if len(left) == most:
                finish()

        return add

    def finish(self) -> None:
        """Add what has been kept to the total."""
        if self.left:
            count = len(self.left)
            left = rt.concatenate(self.left).reshape(count, -1)
            right = rt.concatenate(self.right).reshape(count, -1)
            if isinstance(self.total, Array):
                rt.matmul_into(self.total, left.T, right)
            else:
                self.total += left.T @ right
        self.left.clear()
        self.right.clear()


_LEAST, _MOST = 64, 256


def _block(rows: int, columns: int) -> int:
    """How many pairs of vectors make a block."""
    return max(_LEAST, min(_MOST, rows * columns // max(rows + columns, 1)))


def most_collected(matrix: Any) -> int:
    """The bytes that an `OuterSum` for a matrix takes beside it: a block of vectors, and their copies."""
    rows, columns = matrix.shape
    return int(2 * _block(rows, columns) * (rows + columns) * matrix.itemsize)


def matmul_left(g: Any, x1: Any, x2: Any) -> Any:
    """The adjoint of `x1` in `x1 @ x2`, for operands of any rank from 1 up."""
    x1, x2 = np.asarray(x1), np.asarray(x2)
    if x2.ndim == 1:
        # x1 is (..., n, k) or (k,), and g is (..., n) or a number.
        return np.multiply(g, x2) if x1.ndim == 1 else np.expand_dims(g, -1) * x2
    if x1.ndim == 1:
        return unbroadcast(np.matmul(x2, np.expand_dims(g, -1))[..., 0], x1)
    return unbroadcast(np.matmul(g, np.swapaxes(x2, -1, -2)), x1)


def matmul_right(g: Any, x1: Any, x2: Any) -> Any:
    """The adjoint of `x2` in `x1 @ x2`, for operands of any rank from 1 up."""
    x1, x2 = np.asarray(x1), np.asarray(x2)
    if x1.ndim == 1:
        return np.multiply(g, x1) if x2.ndim == 1 else x1[:, None] * np.expand_dims(g, -2)
    if x2.ndim == 1:
        return unbroadcast(np.matmul(np.expand_dims(g, -2), x1)[..., 0, :], x2)
    return unbroadcast(np.matmul(np.swapaxes(x1, -1, -2), g), x2)


def dot_left(g: Any, a: Any, b: Any) -> Any:
    """The adjoint of `a` in `np.dot(a, b)`: b's last axis but one is summed against a's last."""
    a, b = np.asarray(a), np.asarray(b)
    if not a.ndim or not b.ndim:
        return unbroadcast(np.multiply(g, b), a)
    g = typed(g, b)
    if b.ndim == 1:
        return np.expand_dims(g, -1) * b
    kept = [*range(b.ndim - 2), b.ndim - 1]
    return np.tensordot(g, b, (list(range(a.ndim - 1, np.ndim(g))), kept))


def dot_right(g: Any, a: Any, b: Any) -> Any:
    """The adjoint of `b` in `np.dot(a, b)`."""
    a, b = np.asarray(a), np.asarray(b)
    if not a.ndim or not b.ndim:
        return unbroadcast(np.multiply(g, a), b)
    rows = list(range(a.ndim - 1))
    g = typed(g, a)
    d_b = np.tensordot(a, g, (rows, rows))
    return d_b if b.ndim == 1 else np.moveaxis(d_b, 0, -2)


def vdot_backward(g: Any, x: Any, other: Any) -> Any:
    """The adjoint of one real operand `x` of `np.vdot`: the other, in the shape of `x`."""
    return np.reshape(np.multiply(g, other), np.shape(x))


def inner_left(g: Any, a: Any, b: Any) -> Any:
    """The adjoint of `a` in `np.inner(a, b)`: the last axes are summed against each other."""
    if not np.ndim(a) or not np.ndim(b):
        return unbroadcast(np.multiply(g, b), np.asarray(a))
    return tensordot_left(g, a, b, (-1, -1))


def inner_right(g: Any, a: Any, b: Any) -> Any:
    """The adjoint of `b` in `np.inner(a, b)`."""
    if not np.ndim(a) or not np.ndim(b):
        return unbroadcast(np.multiply(g, a), np.asarray(b))
    return tensordot_right(g, a, b, (-1, -1))


def outer_left(g: Any, a: Any, b: Any) -> Any:
    """The adjoint of `a` in `np.outer(a, b)`, in the shape of `a`."""
    return np.reshape(np.dot(g, np.ravel(b)), np.shape(a))


def outer_right(g: Any, a: Any, b: Any) -> Any:
    """The adjoint of `b` in `np.outer(a, b)`, in the shape of `b`."""
    return np.reshape(np.dot(np.ravel(a), g), np.shape(b))


def tensordot_left(g: Any, a: Any, b: Any, axes: Any) -> Any:
    """The adjoint of `a` in `np.tensordot(a, b, axes)`."""
    n, m = np.ndim(a), np.ndim(b)
    summed_a, summed_b = _contracted_axes(axes, n, m)
    free_a, free_b = _others(summed_a, n), _others(summed_b, m)
    g = typed(g, b)
    d_a = np.tensordot(g, b, (list(range(len(free_a), np.ndim(g))), free_b))
    # What is left of b are its summed axes, in the order they have in b.
    left = [a_axis for _, a_axis in sorted(zip(summed_b, summed_a, strict=True))]
    return np.transpose(d_a, np.argsort([*free_a, *left]))


def tensordot_right(g: Any, a: Any, b: Any, axes: Any) -> Any:
    """The adjoint of `b` in `np.tensordot(a, b, axes)`."""
    n, m = np.ndim(a), np.ndim(b)
    summed_a, summed_b = _contracted_axes(axes, n, m)
    free_a, free_b = _others(summed_a, n), _others(summed_b, m)
    g = typed(g, a)
    d_b = np.tensordot(a, g, (free_a, list(range(len(free_a)))))
    left = [b_axis for _, b_axis in sorted(zip(summed_a, summed_b, strict=True))]
    return np.transpose(d_b, np.argsort([*left, *free_b]))


def _contracted_axes(axes: Any, n: int, m: int) -> tuple[list[int], list[int]]:
    """The summed axes of a of rank `n` and b of rank `m`, as `np.tensordot` reads `axes`."""
    if not isinstance(axes, Iterable):
        return list(range(n - axes, n)), list(range(axes))
    of_a, of_b = axes
    of_a = list(of_a) if isinstance(of_a, Iterable) else [of_a]
    of_b = list(of_b) if isinstance(of_b, Iterable) else [of_b]
    return [k % n for k in of_a], [k % m for k in of_b]


def _others(axes: Sequence[int], rank: int) -> list[int]:
    return [k for k in range(rank) if k not in axes]


def kron_left(g: Any, a: Any, b: Any) -> Any:
    """The adjoint of `a` in `np.kron(a, b)`: each element of `a` is multiplied by all of `b`."""
    rank = max(np.ndim(a), np.ndim(b))
    blocks, _, b_padded = _kron_blocks(g, a, b, rank)
    d_a = np.tensordot(blocks, b_padded, (list(range(1, 2 * rank, 2)), list(range(rank))))
    return np.reshape(d_a, np.shape(a))


def kron_right(g: Any, a: Any, b: Any) -> Any:
    """The adjoint of `b` in `np.kron(a, b)`."""
    rank = max(np.ndim(a), np.ndim(b))
    blocks, a_padded, _ = _kron_blocks(g, a, b, rank)
    d_b = np.tensordot(a_padded, blocks, (list(range(rank)), list(range(0, 2 * rank, 2))))
    return np.reshape(d_b, np.shape(b))


def _kron_blocks(g: Any, a: Any, b: Any, rank: int) -> tuple[Any, Any, Any]:
    """`g` with the axes of a and b side by side, (a0, b0, a1, b1, ...), and the padded operands."""
    a, b = np.asarray(a), np.asarray(b)
    shape_a = (1,) * (rank - a.ndim) + a.shape
    shape_b = (1,) * (rank - b.ndim) + b.shape
    interleaved = [size for pair in zip(shape_a, shape_b, strict=True) for size in pair]
    return np.reshape(typed(g, a), interleaved), a.reshape(shape_a), b.reshape(shape_b)


def cross_left(g: Any, a: Any, b: Any, axisa: int, axisb: int, axisc: int, axis: int | None) -> Any:
    """The adjoint of `a` in `np.cross(a, b)`: g . (da x b) = da . (b x g)."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = np.asarray(a), np.asarray(b)
    g_last = _cross_result(g, a.shape[axisa] == b.shape[axisb] == 2, axisc)
    d_a = _cross_last(_in_three_dimensions(b, axisb), g_last)[..., : a.shape[axisa]]
    return np.moveaxis(unbroadcast(d_a, np.moveaxis(a, axisa, -1)), -1, axisa)


def cross_right(g: Any, a: Any, b: Any, axisa: int, axisb: int, axisc: int, axis: int | None) -> Any:
    """The adjoint of `b` in `np.cross(a, b)`: g . (a x db) = db . (g x a)."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = np.asarray(a), np.asarray(b)
    g_last = _cross_result(g, a.shape[axisa] == b.shape[axisb] == 2, axisc)
    d_b = _cross_last(g_last, _in_three_dimensions(a, axisa))[..., : b.shape[axisb]]
    return np.moveaxis(unbroadcast(d_b, np.moveaxis(b, axisb, -1)), -1, axisb)


def _cross_result(g: Any, planar: bool, axisc: int) -> Any:
    """The adjoint of the product as vectors in the last axis; of two planar vectors, the third element."""
    if not planar:
        return np.moveaxis(g, axisc, -1)
    g = np.asarray(g)
    spatial = np.zeros((*g.shape, 3), g.dtype)
    spatial[..., 2] = g
    return spatial


def _in_three_dimensions(x: Any, axis: int) -> Any:
    x = np.moveaxis(x, axis, -1)
    if x.shape[-1] == 3:
        return x
    return np.concatenate([x, np.zeros((*x.shape[:-1], 1), x.dtype)], axis=-1)


def _cross_last(u: Any, v: Any) -> Any:
    return np.stack(
        [
            u[..., 1] * v[..., 2] - u[..., 2] * v[..., 1],
            u[..., 2] * v[..., 0] - u[..., 0] * v[..., 2],
            u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0],
        ],
        axis=-1,
    )


def multi_dot_backward(g: Any, arrays: Any) -> Any:
    """The adjoint of every factor of `np.linalg.multi_dot`: d_i = (left product)^T g (right product)^T."""
    factors = [np.asarray(x) for x in arrays]
    matrices = list(factors)
    if matrices[0].ndim == 1:
        matrices[0] = matrices[0][None]
    if matrices[-1].ndim == 1:
        matrices[-1] = matrices[-1][:, None]
    rows, columns = matrices[0].shape[0], matrices[-1].shape[1]
    d_left = np.reshape(typed(g, matrices[0]), (rows, columns))
    # Going right to left: d_left is the adjoint of the product of the first i + 1 matrices.
    prefixes = [matrices[0]]
    for matrix in matrices[1:-1]:
        prefixes.append(prefixes[-1] @ matrix)
    adjoints: list[Any] = [None] * len(factors)
    for i in range(len(factors) - 1, 0, -1):
        adjoints[i] = (prefixes[i - 1].T @ d_left).reshape(factors[i].shape)
        d_left = d_left @ matrices[i].T
    adjoints[0] = d_left.reshape(factors[0].shape)
    return adjoints


def einsum_backward(g: Any, subscripts: Any, operands: Sequence[Any], optimize: Any) -> Any:
    """The adjoints of all operands of `np.einsum`, a list; 0.0 for operands that are not real.

    The adjoint of an operand is the einsum of `g` and the other operands, with the operand's labels
    as output. A label that only this operand has was summed: there the adjoint is constant. A label
    that it has twice stands for a diagonal: the adjoint is zero off it. Where the operand has size 1
    and others do not, it was broadcast: the adjoint is summed.
    """
    if not isinstance(subscripts, str):
        raise MissingRule(
            "einsum is called with lists of integers as labels",
            reason="only the form with a string of labels has a derivative rule",
            remedy="write the labels as a string, np.einsum('ij,jk->ik', a, b)",
        )
    if not isinstance(optimize, (bool, str)):
        optimize = True  # a path fits its own contraction only
    operands = [np.asarray(x) for x in operands]
    inputs, output = _parsed(subscripts, operands)
    sizes: dict[str, int] = {}
    for labels, x in zip(inputs, operands, strict=True):
        for label, size in zip(labels, x.shape, strict=True):
            if size != 1 or label not in sizes:
                sizes[label] = size
    adjoints: list[Any] = []
    for k, x in enumerate(operands):
        if x.dtype.kind != "f":
            adjoints.append(0.0)
            continue
        g = typed(g, x)
        rest = [*inputs[:k], *inputs[k + 1 :]], [*operands[:k], *operands[k + 1 :]]
        adjoints.append(_einsum_adjoint(g, output, inputs[k], x, rest, sizes, optimize))
    return adjoints


def _einsum_adjoint(
    g: Any,
    output: str,
    labels: str,
    x: Any,
    rest: tuple[list[str], list[Any]],
    sizes: dict[str, int],
    optimize: bool | str,
) -> Any:
    own: dict[str, int] = {}
    for label, size in zip(labels, x.shape, strict=True):
        if own.setdefault(label, size) != size:
            raise MissingRule(f"einsum takes the diagonal of axes of sizes {own[label]} and {size}")
    others = "".join([output, *rest[0]])
    kept = "".join(label for label, size in own.items() if label in others and size == sizes[label])
    terms = ",".join([output, *rest[0]])
    partial = np.einsum(f"{terms}->{kept}", g, *rest[1], optimize=optimize)
    # The labels that are missing are constant (only this operand had them) or summed (size 1).
    at = iter(np.shape(partial))
    expanded = np.reshape(partial, [next(at) if label in kept else 1 for label in own])
    full = np.broadcast_to(expanded, list(own.values()))
    if len(own) == len(labels):
        return full
    d_x = np.zeros(x.shape, full.dtype)
    np.einsum(f"{labels}->{''.join(own)}", d_x)[...] = full  # a view of the diagonal, writable
    return d_x


def _parsed(subscripts: str, operands: Sequence[Any]) -> tuple[list[str], str]:
    """The labels of every operand and of the result, ellipses written out as further letters."""
    arrow = "->" in subscripts
    left, _, output = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    used = set(left) | set(output)
    unused = [c for c in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" if c not in used]
    ranks = [x.ndim - len(t.replace("...", "")) for t, x in zip(terms, operands, strict=True)]
    extra = max([rank for t, rank in zip(terms, ranks, strict=True) if "..." in t], default=0)
    letters = "".join(unused[:extra])
    inputs = [t.replace("...", letters[extra - r :]) for t, r in zip(terms, ranks, strict=True)]
    if arrow:
        return inputs, output.replace("...", letters)
    named = left.replace("...", "").replace(",", "")
    return inputs, letters + "".join(sorted(c for c in set(named) if named.count(c) == 1))
