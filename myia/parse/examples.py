"""The type of a result, found by example: the operation is run on arrays of ones.

NumPy is then the oracle for its own promotion rules and ranks. What depends on values (a shape given
as a list, a power of two integers, the larger of two numbers) is not claimed.
"""

from __future__ import annotations

import functools
import operator
from typing import Any

import numpy as np

from myia.errors import MyiaError
from myia.parse.types import (
    ANY,
    BOOL,
    BOTTOM,
    INT,
    REAL,
    UNKNOWN,
    Array,
    Known,
    List,
    NumpyScalar,
    Scalar,
    Tuple,
    Type,
    forget_value,
    is_number,
    join,
    join_all,
    type_of,
)

FAILURES = (
    TypeError, ValueError, IndexError, KeyError, AttributeError, ArithmeticError, NotImplementedError,
    MyiaError,
)  # fmt: skip
"""What running an operation on a sample may raise; the result's type is then unknown."""


def example_type(function: Any, types: tuple[Type, ...], named: tuple[tuple[str, Type], ...] = ()) -> Type:
    """The type of `function(*types, **named)`, found by running it on samples; ANY if it cannot be."""
    if BOTTOM in types:
        return BOTTOM
    try:
        return _example_type(function, types, named)
    except TypeError:  # a constant that cannot be hashed
        return _example_type.__wrapped__(function, types, named)


@functools.lru_cache(maxsize=4096)
def _example_type(function: Any, types: tuple[Type, ...], named: tuple[tuple[str, Type], ...]) -> Type:
    if function is operator.pow and all(isinstance(t, Scalar) and t.kind == "int" for t in types):
        exponent = types[1].value  # type: ignore[attr-defined]
        return REAL if exponent is UNKNOWN else INT if exponent >= 0 else Scalar("float")
    if function is sum and types and isinstance(types[0], List):
        start = forget_value(types[1]) if len(types) > 1 else INT
        return join(start, example_type(operator.add, (start, types[0].item)))  # the list may be empty
    if function in (max, min) and len(types) > 1:
        return join_all(tuple(map(forget_value, types)))  # the result is one of them, whichever
    if REAL in types:
        return _example_of_real(function, types)
    samples = [sample(t) for t in types]
    keywords = {name: sample(t) for name, t in named}
    if any(value is NO_SAMPLE for value in (*samples, *keywords.values())):
        return ANY
    try:
        with np.errstate(all="ignore"):
            return forget_value(type_of(function(*samples, **keywords)))
    except FAILURES:
        return ANY


def _example_of_real(function: Any, types: tuple[Type, ...]) -> Type:
    """With a number of unknown kind among the operands, arithmetic gives another, or an array."""
    if getattr(function, "__module__", "") == "math":
        return Scalar("float")
    if function in _COMPARISONS:
        return BOOL if all(map(is_number, types)) else ANY
    if function not in _ARITHMETIC and not isinstance(function, np.ufunc):
        return ANY
    if all(map(is_number, types)):
        return REAL
    ranks = {t.rank for t in types if isinstance(t, Array)}
    others = [t for t in types if not isinstance(t, Array) and not is_number(t)]
    if len(ranks) == 1 and not others:
        return Array(None, ranks.pop())
    return ANY


_COMPARISONS = (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge)
_ARITHMETIC = (
    operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.neg, operator.pos,
    operator.floordiv, operator.mod,
)  # fmt: skip


class _NoSample:
    """Equal to nothing, so that a search among arrays compares by identity."""


NO_SAMPLE: Any = _NoSample()


def sample(t: Type) -> Any:
    """A value of type `t` with every dimension 1, or `NO_SAMPLE`."""
    match t:
        case Scalar(kind, value):
            if value is not UNKNOWN:
                return value
            return {"float": 1.0, "int": 1, "complex": 1j}.get(kind, NO_SAMPLE)
        case NumpyScalar(dtype):
            return np.ones((), dtype)[()]
        case Array(dtype, rank) if dtype is not None and rank is not None and dtype.kind in "fiubc":
            return np.ones((1,) * rank, dtype)
        case Tuple(items):
            samples = [sample(item) for item in items]
            return NO_SAMPLE if any(s is NO_SAMPLE for s in samples) else tuple(samples)
        case List(item) if item != INT:  # a list of integers may be a shape: its length is not known
            made = sample(item)
            return NO_SAMPLE if made is NO_SAMPLE else [made]
        case Known(value):
            return value
    return NO_SAMPLE
