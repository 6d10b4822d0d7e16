"""Cases of arithmetic, elementwise functions, `math` and Python's numeric functions."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

import myia.runtime as rt
from tests.rules.cases import Case, case

random = np.random.default_rng(20)


def numbers(*shape: int, low: float = 0.21, high: float = 0.79) -> Any:
    """Numbers at least 1e-3 apart and away from integers, so that no kink is within a step."""
    size = math.prod(shape)
    spaced = low + (high - low) * (random.permutation(size) + 0.5) / max(size, 1)
    return spaced.reshape(shape)


X = numbers(2, 3)
SIGNED = X * np.array([[1.0, -1.0, 1.0], [-1.0, 1.0, -1.0]])

UNARY_ANALYTIC = [
    np.negative, np.positive, np.exp, np.exp2, np.expm1, np.log, np.log2, np.log10, np.log1p, np.sqrt,
    np.square, np.reciprocal, np.sin, np.cos, np.tan, np.arcsin, np.arccos, np.arctan, np.sinh, np.cosh,
    np.tanh, np.arcsinh, np.arctanh, np.sinc,
]  # fmt: skip
UNARY_REAL = [
    np.absolute, np.fabs, np.cbrt, np.degrees, np.radians, np.rad2deg, np.deg2rad, np.i0, np.nan_to_num,
    np.conjugate, np.real, np.modf, np.frexp, np.float64,
]  # fmt: skip
UNARY = [*UNARY_ANALYTIC, *UNARY_REAL]

BINARY_ANALYTIC = [np.add, np.subtract, np.multiply, np.divide, np.power]
BINARY_REAL = [
    np.float_power, np.remainder, np.fmod, np.divmod, np.hypot, np.arctan2, np.logaddexp, np.logaddexp2,
    np.maximum, np.minimum, np.fmax, np.fmin, np.copysign,
]  # fmt: skip
BINARY = [*BINARY_ANALYTIC, *BINARY_REAL]

OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]

MATH_UNARY = [
    math.sin, math.cos, math.tan, math.asin, math.acos, math.atan, math.sinh, math.cosh, math.tanh,
    math.asinh, math.atanh, math.exp, math.exp2, math.expm1, math.log, math.log2, math.log10, math.log1p,
    math.sqrt, math.cbrt, math.fabs, math.erf, math.erfc, math.gamma, math.lgamma, math.degrees,
    math.radians, math.modf, math.frexp, float,
]  # fmt: skip
MATH_BINARY = [math.pow, math.fmod, math.remainder, math.copysign, math.atan2, math.hypot]

SCALARS: list[tuple[Any, Any]] = [
    (0.7, 0.3), (1.3, 2.0), (2.3, -1.4), (np.float64(0.6), 0.45), (np.float32(0.7), np.float32(0.3)),
]  # fmt: skip

CASES: list[Case] = [
    *(case(f, X, analytic=True) for f in UNARY_ANALYTIC),
    *(case(f, numbers(2, 3)) for f in UNARY_REAL),
    *(case(f, SIGNED) for f in [np.sinc, np.cbrt, np.absolute, np.fabs, np.tanh, np.i0, np.expm1, np.frexp]),
    *(case(f, x) for f in UNARY for x in (0.35, np.float64(0.4), np.array(0.45), np.ones((0, 2)))),
    *(case(f, X.astype(np.float32)) for f in UNARY if f is not np.float64),
    case(np.float32, 0.37, active=()),
    case(np.arccosh, 1.0 + X, analytic=True),
    case(np.arccosh, 1.7),
    case(np.imag, X),
    case(np.nextafter, X, X + 1.0, active=("x1",)),
    case(np.ldexp, X, np.array([3, -2, 0])),
    case(np.heaviside, np.array([-1.0, 0.0, 2.0]), X, active=("x2",)),
    # binary
    *(case(f, X, numbers(2, 3, low=0.31, high=0.9), analytic=True) for f in BINARY_ANALYTIC),
    *(case(f, numbers(2, 3), numbers(3, low=1.1, high=1.9)) for f in BINARY_REAL),
    *(case(f, numbers(2, 1), numbers(4, 1, 3, low=0.21, high=0.79)) for f in BINARY_ANALYTIC),
    *(case(f, x, numbers(3, low=0.81, high=0.9)) for f in BINARY for x in (0.35, np.array(0.35))),
    *(case(f, numbers(3), x) for f in BINARY for x in (0.85, np.float64(1.3))),
    *(case(f, X.astype(np.float32), np.float32(0.9) * np.ones(3, np.float32)) for f in BINARY),
    *(case(f, X.astype(np.float32), 0.85) for f in BINARY),
    case(np.power, SIGNED, 3, analytic=True),
    case(np.power, SIGNED, np.array([2, -1, 0])),
    case(np.power, SIGNED, 2),
    case(np.power, SIGNED, 0),
    case(np.power, SIGNED, -2.0, active=("x1",)),
    case(np.power, 2, X, active=("x2",)),
    case(operator.pow, np.array(1.7), [1, 2, 3]),  # Tangent is silently wrong here
    case(np.power, 1.7, [1, 2, 3]),
    case(np.multiply, X, [1.0, 2.0, 3.0], active=("x1",)),
    *(case(f, SIGNED, numbers(2, 3, low=1.1, high=1.9)) for f in (np.remainder, np.fmod, operator.mod)),
    *(case(f, SIGNED, -numbers(2, 3, low=1.1, high=1.9)) for f in (np.remainder, np.fmod, np.copysign)),
    # operators, on arrays and on scalars
    *(case(f, X, numbers(3, low=0.31, high=0.9), analytic=True) for f in OPERATORS),
    *(case(f, *pair) for f in [*OPERATORS, operator.mod, pow, divmod] for pair in SCALARS),
    *(case(f, x) for f in (operator.neg, operator.pos, operator.abs, abs) for x in (X, -0.7, 1.5)),
    case(divmod, X, 0.19),
    *(case(operator.pow, x, p) for x in (1.5, -1.5, 0.5) for p in (0, 1, 2, 3, -1, -2)),
    *(case(operator.pow, 1.5, p) for p in (0.5, -0.5, 3.0, 0.0)),
    *(case(pow, x, 2) for x in (-1.5, np.float32(0.7))),
    # math, on floats and on arrays of one element
    *(case(f, x) for f in MATH_UNARY for x in (0.35, np.float64(0.62), np.array(0.45))),
    *(case(f, np.float32(0.4)) for f in MATH_UNARY),
    *(case(f, x) for f in (math.gamma, math.lgamma) for x in (-0.4, -3.3, 1.4616, 3.7, 12.5)),
    *(case(f, -0.6) for f in (math.cbrt, math.fabs, math.erf, math.sinh, math.modf, math.frexp, math.expm1)),
    *(case(f, *pair) for f in MATH_BINARY for pair in SCALARS),
    case(math.acosh, 1.7),
    case(math.log, 0.7, 2.5),
    case(math.log, 0.7, 3),
    case(math.nextafter, 0.7, 1, active=("x1",)),
    case(math.ldexp, 0.7, 3),
    case(math.fma, 0.7, 0.2, 0.4) if hasattr(math, "fma") else case(float, 0.2),
    case(math.hypot, 0.7, 0.2, 0.4),
    case(math.dist, [0.7, 0.2], [0.1, 0.5]),
    case(math.dist, numbers(3), numbers(3)),
    case(math.fsum, [0.1, 0.2, 0.3]),
    case(math.prod, [0.1, 0.2, 0.3]),
    case(math.prod, [0.1, 0.0, 0.3], start=2.0),
    case(math.prod, numbers(3)),
    case(math.sumprod, [0.7, 0.2], [0.1, 0.5]) if hasattr(math, "sumprod") else case(float, 0.2),
    # Python's sum, max, min
    case(sum, [0.1, 0.2, 0.3]),
    case(sum, [0.1, 0.2, 0.3], 1.5),
    case(sum, (X, numbers(3), 0.7)),
    case(sum, [X, X], numbers(2, 3)),
    case(sum, numbers(3)),
    case(sum, X),
    *(
        case(f, *args)
        for f in (max, min)
        for args in [(0.3, 0.7), (0.7, 0.3), (0.7, 0.2, 0.9), ([0.2, 0.1, 0.3],)]
    ),
    *(case(f, numbers(4)) for f in (max, min)),
    # what the templates themselves are made of
    *(case(f, X, x, analytic=True) for f in (rt.times, rt.quotient) for x in (numbers(3), 0.7)),
    # selection
    case(np.where, X > 0.5, X, numbers(3)),
    case(np.where, np.array([True, False, True]), 0.7, numbers(2, 1)),
    case(np.where, True, 0.7, 0.2),
    case(np.where, X > 0.5, X.astype(np.float32), np.float32(0.0)),
    case(np.clip, X, 0.3, 0.6),
    case(np.clip, X, np.array([[0.31], [0.21]]), numbers(3, low=0.55, high=0.7)),
    case(np.clip, X, min=0.3, max=0.6),
    case(np.clip, X, 0.3, None),
    case(np.clip, X, None, 0.6),
    case(np.clip, X, max=0.6),
    case(np.clip, X, 0.7, 0.3),
    case(np.clip, X.astype(np.float32), 0.3, 0.6),
    case(np.clip, 0.5, 0.3, 0.6),
]
