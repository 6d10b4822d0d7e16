"""The algebra of adjoints: zeros, sums, seeds, for scalars, arrays and nested containers.

The adjoint of a float is a float, of an array an array of its shape, of a list, tuple or dict a
container of its elements' adjoints (a list for a tuple: adjoints are added to in place). A value
without a derivative (an integer, a string, None, a function) has the adjoint 0.0.
"""

from __future__ import annotations

import types
from collections import deque
from typing import Any

import numpy as np

from myia._runtime import asarray, empty, is_own, scatter_add
from myia._runtime import form as native_form
from myia._runtime import matmul_into as native_matmul_into
from myia._runtime import zeros_like as native_zeros
from myia.errors import MissingRule, NonScalarOutput, NotDifferentiable
from myia.runtime.native import ARRAYS, Array

__all__ = [
    "accumulate",
    "added_adjoint",
    "add_at",
    "as_adjoint_of",
    "form",
    "like",
    "matmul_into",
    "multiplied_adjoint",
    "real_power",
    "ones_like",
    "repeated_adjoint",
    "sum_to",
    "unbroadcast",
    "zeros_like",
]


def zeros_like(x: Any) -> Any:
    """A fresh zero adjoint for `x`, that nothing else refers to.

    The arrays in a container are zeros without memory: what is added to one is a new array (`accumulate`).
    """
    if isinstance(x, ARRAYS):
        if x.dtype.kind in "fc":
            return np.zeros(x.shape, x.dtype)
        return np.zeros(x.shape)
    if isinstance(x, (list, tuple)):
        return [_item_zeros(item) for item in x]
    if isinstance(x, dict):
        return {key: _item_zeros(item) for key, item in x.items()}
    return 0.0


def _item_zeros(x: Any) -> Any:
    if isinstance(x, ARRAYS) and x.ndim and x.dtype.kind in "fc":
        return native_form(x)
    return native_zeros(x)


def ones_like(result: Any) -> Any:
    """The seed of the reverse sweep: 1 for a real scalar. Raises NonScalarOutput for anything else."""
    if isinstance(result, float):
        return 1.0
    if isinstance(result, ARRAYS) and result.ndim == 0:
        result = result[()]
    if isinstance(result, (np.floating, np.integer, np.bool_, int)):
        return np.ones((), result.dtype)[()] if isinstance(result, np.floating) else 1.0
    if isinstance(result, (complex, np.complexfloating)):
        raise NonScalarOutput(
            "the result is complex",
            reason="the gradient of a complex result needs a convention",
            remedy="return a real number, such as abs(z) ** 2 written with real and imaginary parts",
        )
    raise non_scalar(_described(result))


def non_scalar(what: str) -> NonScalarOutput:
    """The refusal of a gradient of `what`."""
    return NonScalarOutput(
        f"the result is {what}, not a real number",
        reason="a gradient is the derivative of one number",
        remedy="return a scalar, such as y.sum(), or use vjp or jacobian",
    )


def matmul_into(out: Any, a: Any, b: Any) -> Any:
    """`out += a @ b` in place, for matrices; gives `out`. BLAS adds up in its own order."""
    if isinstance(out, Array):
        return native_matmul_into(out, a, b)
    out += np.matmul(np.asarray(a), np.asarray(b))
    return out


def form(x: Any) -> Any:
    """The shape and dtype of an array as a read-only one without memory: all its elements are one zero."""
    return np.broadcast_to(np.zeros((), x.dtype), x.shape) if isinstance(x, ARRAYS) else x


def unbroadcast(g: Any, x: Any) -> Any:
    """Sum the cotangent `g` of a broadcast `x` back to the shape of `x`."""
    if isinstance(x, ARRAYS):
        return sum_to(g, x.shape)
    if isinstance(x, (list, tuple)):
        return unbroadcast(g, np.asarray(x)).tolist() if isinstance(g, ARRAYS) else g
    if isinstance(g, ARRAYS):
        return g.sum()
    return g


def sum_to(g: Any, shape: tuple[int, ...]) -> Any:
    """Sum a cotangent over the axes along which an operand of this shape was broadcast."""
    if not isinstance(g, ARRAYS):
        return g if not shape else np.full(shape, g)
    if g.shape == shape:
        return g
    extra = g.ndim - len(shape)
    axes = tuple(range(extra)) + tuple(
        k + extra for k, size in enumerate(shape) if size == 1 and g.shape[k + extra] != 1
    )
    if axes:
        return g.sum(axis=axes, keepdims=True).reshape(shape)
    return np.broadcast_to(g, shape)


def as_adjoint_of(g: Any, x: Any) -> Any:
    """The cotangent `g` of the elements of `x` in a sequence, as an adjoint of `x` itself."""
    if isinstance(x, ARRAYS):
        if isinstance(g, ARRAYS):
            return g
        total = zeros_like(x)
        for k, row in enumerate(g):
            total[k] = row
        return total
    if isinstance(x, (list, tuple, deque)):
        return g
    if isinstance(x, (set, frozenset)) and any(isinstance(item, (float, np.floating)) for item in x):
        raise MissingRule(
            "the numbers of a set are walked over",
            reason="the gradient depends on them, and numbers that are equal are one in a set",
            remedy="keep them in a list",
        )
    return zeros_like(x)  # the keys of a dictionary, the letters of a string, a range


def added_adjoint(g: Any, x: Any, first: bool) -> Any:
    """The adjoint of an operand of `+`, which adds numbers and arrays and joins lists and tuples."""
    if isinstance(x, (list, tuple)) and isinstance(g, (list, tuple)):
        return g[: len(x)] if first else g[len(g) - len(x) :]
    return unbroadcast(g, x)


def multiplied_adjoint(g: Any, x: Any, other: Any) -> Any:
    """The adjoint of an operand of `*`, which multiplies numbers and arrays and repeats lists."""
    if isinstance(g, (list, tuple)):
        return repeated_adjoint(g, x)
    return unbroadcast(g * other, x)


def repeated_adjoint(g: Any, x: Any) -> Any:
    """The cotangent of a list `x` from that of `x * n`; 0.0 if `x` is the count."""
    if not isinstance(x, (list, tuple)):
        return 0.0
    size = len(x)
    total = zeros_like(x)
    for k, part in enumerate(g):
        total[k % size] = accumulate(total[k % size], part)
    return total


def accumulate(a: Any, b: Any) -> Any:
    """The sum of two adjoints of one value, a new object; neither is changed.

    An array may stand for the adjoint of a list, that an operation took for an array; 0.0 for any adjoint.
    """
    if isinstance(a, (list, tuple)):
        if not isinstance(b, (list, tuple, *ARRAYS)):
            return a
        return [accumulate(p, q) for p, q in zip(a, b, strict=True)]
    if isinstance(b, (list, tuple)):
        if not isinstance(a, ARRAYS):
            return b
        return [accumulate(p, q) for p, q in zip(a, b, strict=True)]
    if isinstance(a, dict):
        if not isinstance(b, dict):
            return a
        return {key: accumulate(a[key], b[key]) if key in b else a[key] for key in a}
    if isinstance(b, dict):
        return b
    return a + b


def add_at(d_x: Any, index: Any, g: Any) -> Any:
    """Add `g` to the elements of the adjoint `d_x` that `index` selects, in place; returns `d_x`.

    Repeated indices add up. `d_x` must be owned: made by `zeros_like` for this purpose. The adjoint of a
    number is not changed in place: the sum is returned (`x[()]` and `x[None]` are of NumPy's scalars).
    """
    if isinstance(d_x, ARRAYS):
        if _selects_once(index):
            d_x[index] += g
        elif not scatter_add(d_x, index, g):
            np.add.at(d_x, index, g)
    elif isinstance(d_x, list):
        if isinstance(index, slice):
            parts = g if isinstance(g, (list, tuple, *ARRAYS)) else [g] * len(d_x[index])
            for k, part in zip(range(*index.indices(len(d_x))), parts, strict=True):
                d_x[k] = accumulate(d_x[k], part)
        else:
            d_x[index] = accumulate(d_x[index], g)
    elif isinstance(d_x, dict):
        d_x[index] = accumulate(d_x[index], g)
    else:
        return d_x + np.sum(g)
    return d_x


_BASIC_INDICES = frozenset({int, slice, types.EllipsisType, types.NoneType, bool})


def _selects_once(index: Any) -> bool:
    """Whether an index of an array is known to select each element at most once, so that `+=` will do.

    So do integers, slices, None, Ellipsis and masks, alone or in a tuple. Anything else, also a tuple
    inside a tuple or a range, is an array of integers to NumPy, and may repeat elements.
    """
    if type(index) in _BASIC_INDICES:
        return True
    if type(index) is tuple:
        return all(type(part) in _BASIC_INDICES or _is_integer_or_mask(part) for part in index)
    return _is_integer_or_mask(index)


def _is_integer_or_mask(part: Any) -> bool:
    if isinstance(part, ARRAYS):
        return part.dtype.kind == "b" or not part.ndim
    return isinstance(part, (np.integer, np.bool_, int))


def like(d_x: Any, x: Any, given: list[Any]) -> Any:
    """The gradient handed to the user: of the structure, shape and dtype of `x`, in memory of its own.

    An ndarray for an ndarray, whose elements are there; for an Array an Array, which may be pending. `given`
    collects the adjoints whose own memory has been handed out, so that none is handed out twice.
    """
    if isinstance(x, ARRAYS):
        if x.dtype.kind != "f":
            zeros = np.zeros(x.shape)
            return asarray(zeros) if isinstance(x, Array) else zeros
        if not isinstance(d_x, ARRAYS) or d_x.dtype.kind != "f":
            _refuse_complex_cotangent(d_x)
        if isinstance(d_x, Array) and is_own(d_x, x.shape, x.dtype) and all(d_x is not a for a in given):
            given.append(d_x)
            return d_x if isinstance(x, Array) else np.asarray(d_x)
        if isinstance(x, Array):
            fresh = empty(x.shape, x.dtype)
            fresh[...] = d_x
            return fresh
        gradient = np.empty(x.shape, x.dtype)
        gradient[...] = d_x
        return gradient
    if isinstance(x, (list, tuple)):
        items = [like(part, item, given) for part, item in zip(_parts(d_x, len(x)), x, strict=True)]
        if isinstance(x, list):
            return items
        return type(x)(*items) if hasattr(x, "_fields") else tuple(items)
    if isinstance(x, dict):
        return {key: like(d_x[key] if isinstance(d_x, dict) else 0.0, item, given) for key, item in x.items()}
    if type(x) is float and type(d_x) is float:
        return d_x
    if isinstance(x, (float, np.floating)):
        _refuse_complex_cotangent(d_x)
        return type(x)(d_x) if isinstance(x, np.floating) else float(d_x)
    return 0.0


def _parts(d_x: Any, count: int) -> Any:
    if isinstance(d_x, (list, tuple)) or (isinstance(d_x, ARRAYS) and d_x.ndim):
        return d_x
    return [0.0] * count


def _refuse_complex_cotangent(d_x: Any) -> None:
    if np.iscomplexobj(d_x):
        raise NotDifferentiable(
            "the gradient of a real argument came out complex",
            reason="the result depends on the argument through complex values, which have no rules yet",
            remedy="compute with the real and the imaginary part as two real arrays",
        )


def real_power(y: Any) -> None:
    """Check that a power is real: in Python, a negative number to a fraction is complex."""
    if isinstance(y, (complex, np.complexfloating)):
        raise NotDifferentiable(
            "a power is complex",
            reason="a negative number is raised to a fraction, and complex values have no rules yet",
            remedy="take the power of a positive number, or use np.cbrt for the real cube root",
        )


def _described(result: Any) -> str:
    if isinstance(result, ARRAYS):
        return f"an array of shape {result.shape}"
    if result is None:
        return "None"
    return f"a {type(result).__name__}"
