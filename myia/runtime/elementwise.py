"""Elementwise operations of emitted code: NumPy's own, and what their backprops need.

The helpers take cotangents `g` that have the shape of the operation's result, and return an array
of the broadcast shape (the caller sums it back); a float32 cotangent gives a float32 contribution.
"""

from __future__ import annotations

import builtins
import math
from operator import neg as negate
from typing import Any

import numpy as np
from numpy import (
    absolute,
    add,
    allclose,
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctan2,
    arctanh,
    array_equal,
    bitwise_and,
    bitwise_or,
    bitwise_xor,
    cbrt,
    ceil,
    clip,
    conjugate,
    copysign,
    cos,
    cosh,
    deg2rad,
    degrees,
    divide,
    divmod,
    equal,
    exp,
    exp2,
    expm1,
    fabs,
    fix,
    float_power,
    floor,
    floor_divide,
    fmax,
    fmin,
    fmod,
    frexp,
    gcd,
    greater,
    greater_equal,
    heaviside,
    hypot,
    i0,
    imag,
    invert,
    isclose,
    iscomplexobj,
    isfinite,
    isinf,
    isnan,
    isneginf,
    isposinf,
    isreal,
    isrealobj,
    isscalar,
    lcm,
    ldexp,
    left_shift,
    less,
    less_equal,
    log,
    log1p,
    log2,
    log10,
    logaddexp,
    logaddexp2,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    maximum,
    minimum,
    modf,
    multiply,
    nan_to_num,
    ndarray,
    negative,
    nextafter,
    not_equal,
    positive,
    power,
    rad2deg,
    radians,
    real,
    reciprocal,
    remainder,
    right_shift,
    rint,
    round,
    sign,
    signbit,
    sin,
    sinc,
    sinh,
    spacing,
    sqrt,
    square,
    subtract,
    tan,
    tanh,
    trunc,
    where,
)

from myia.errors import NotDifferentiable

__all__ = [
    "absolute", "add", "allclose", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh",
    "array_equal", "bitwise_and", "bitwise_or", "bitwise_xor", "cbrt", "ceil", "clip", "conjugate",
    "copysign", "cos", "cosh", "deg2rad", "degrees", "divide", "divmod", "equal", "exp", "exp2", "expm1",
    "fabs", "fix", "float_power", "floor", "floor_divide", "fmax", "fmin", "fmod", "frexp", "gcd", "greater",
    "greater_equal", "heaviside", "hypot", "i0", "imag", "invert", "isclose", "iscomplexobj", "isfinite",
    "isinf", "isnan", "isneginf", "isposinf", "isreal", "isrealobj", "isscalar", "lcm", "ldexp", "left_shift",
    "less", "less_equal", "log", "log10", "log1p", "log2", "logaddexp", "logaddexp2", "logical_and",
    "logical_not", "logical_or", "logical_xor", "maximum", "minimum", "modf", "multiply", "nan_to_num",
    "negate", "negative", "nextafter", "not_equal", "positive", "power", "rad2deg", "radians", "real",
    "reciprocal", "remainder", "right_shift", "rint", "round", "sign", "signbit", "sin", "sinc", "sinh",
    "spacing", "sqrt", "square", "subtract", "tan", "tanh", "trunc", "where",
    # backprops
    "angle_slope", "bessel_i1", "clip_adjoint", "clip_lower_adjoint", "clip_upper_adjoint", "digamma",
    "fmax_adjoint", "fmin_adjoint", "imag_adjoint", "logaddexp2_weight", "logaddexp_weight",
    "maximum_adjoint", "minimum_adjoint", "power_base_adjoint", "power_exponent_adjoint", "quotient", "ratio",
    "real_adjoint", "sinc_slope", "tanh_adjoint", "times",
]  # fmt: skip

# -- products in which a cotangent of exactly zero stays zero ----------------------------------

# Up to this size BLAS works in the calling thread, and the scalar product of an array with itself is the
# cheapest test for infinities and NaNs (0.3 us, where np.isfinite(x).all() takes 1.7).
_SMALL = 4096


_INFINITY = math.inf


def tanh_adjoint(g: Any, y: Any) -> Any:
    """`g * (1 - y * y)`, the cotangent of `x` in `y = tanh(x)`; 0 where `g` is 0.

    Written `g - g * y * y`, it needs three passes and one temporary, and no scalar operand, which
    NumPy converts each time.
    """
    if type(y) is ndarray and type(g) is ndarray and y.ndim and y.dtype is g.dtype:
        t = y * y
        t *= g
        if (t.dot(t) < _INFINITY) if y.ndim == 1 else _is_finite(t):
            return g - t
    return times(g, 1.0 - y * y)


def times(g: Any, factor: Any) -> Any:
    """`g * factor`, and 0 where `g` is 0, even if `factor` is infinite or NaN."""
    if _is_finite(factor):
        return g * factor
    with np.errstate(invalid="ignore"):
        return _zero_kept(g, np.multiply(g, factor))


def quotient(g: Any, x: Any) -> Any:
    """`g / x`, and 0 where `g` is 0, even if `x` is 0 or NaN."""
    if _is_finite(x) and (np.count_nonzero(x) == x.size if isinstance(x, np.ndarray) else x):
        return g / x
    with np.errstate(divide="ignore", invalid="ignore"):
        return _zero_kept(g, np.divide(g, x))


def _is_finite(x: Any) -> bool:
    """Whether `x` is known to hold neither infinities nor NaNs; numbers near overflow may be doubted."""
    if isinstance(x, np.ndarray):
        if x.size <= _SMALL:
            if x.dtype.kind == "O":
                return False
            return bool((x.dot(x) if x.ndim == 1 else np.vdot(x, x)) < math.inf)
        return bool(np.isfinite(x).all())
    return isinstance(x, (float, int, np.number)) and math.isfinite(x)


def _zero_kept(g: Any, product: Any) -> Any:
    """`product` with 0 where `g` is 0."""
    if isinstance(product, np.ndarray):
        return np.where(np.equal(g, 0.0), np.zeros((), product.dtype), product)
    if product != product and g == 0.0:
        return product.dtype.type(0.0) if isinstance(product, np.floating) else 0.0
    return product


def ratio(a: Any, b: Any) -> Any:
    """`a / b`, and 0 where `b` is 0."""
    if isinstance(b, np.ndarray):
        if np.count_nonzero(b) == b.size:
            return a / b
        empty = b == 0.0
        return np.where(empty, np.zeros((), b.dtype), a / np.where(empty, np.ones((), b.dtype), b))
    return a / b if b else a * 0.0


def angle_slope(x: Any, radius: Any) -> Any:
    """`x / radius ** 2`, the slope of `arctan2`; 0 at the origin and at infinity."""
    if np.isinf(radius).any():
        far = np.isinf(radius)
        x, radius = np.where(far, 0.0, x), np.where(far, np.ones((), np.asarray(radius).dtype), radius)
    return ratio(ratio(x, radius), radius)


# -- powers -----------------------------------------------------------------------------------------


def power_base_adjoint(g: Any, x1: Any, x2: Any) -> Any:
    """The contribution to `x1` of `x1 ** x2`; 0 where `x2` is 0, also at `x1 == 0`."""
    if isinstance(x2, (int, float)):
        if x2 == 2:
            return times(g, 2.0 * _array(x1))
        if x2 >= 1:
            return times(g, x2 * _array(x1) ** (x2 - 1))
        if x2 == 0:
            return np.zeros_like(g)
    else:
        x2 = _array(x2)
    x1 = _array(x1)
    if x1.dtype.kind != "f":
        x1 = x1 * 1.0
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        # x2 - 1.0 and not x2 - 1: an unsigned exponent of 0 would wrap round.
        slope = np.where(np.equal(x2, 0), np.zeros((), x1.dtype), x2 * np.power(x1, x2 - 1.0))
    return times(g, slope.astype(_dtype(g, slope), copy=False))


def power_exponent_adjoint(g: Any, x1: Any, y: Any) -> Any:
    """The contribution to `x2` of `y = x1 ** x2`: `y log(x1)`; 0 where `x1 <= 0` or `y == 0`."""
    x1 = _array(x1)
    silent = np.less_equal(x1, 0) | np.equal(y, 0)
    power = np.where(silent, np.zeros((), _dtype(y, x1)), y)
    slope = power * np.log(np.where(silent, np.ones((), x1.dtype), x1))
    return times(g, slope.astype(_dtype(g, slope), copy=False))


def _array(x: Any) -> Any:
    """`x` ready for arithmetic: a list becomes an array."""
    return np.asarray(x) if isinstance(x, (list, tuple, int, float, np.generic)) else x


def _dtype(g: Any, default: Any) -> Any:
    """The dtype of a contribution: that of the cotangent when it has one."""
    dtype = getattr(g, "dtype", None)
    return dtype if dtype is not None and dtype.kind == "f" else np.result_type(default, np.float64)


# -- logarithms of sums -------------------------------------------------------------------------


def logaddexp_weight(x: Any, other: Any, y: Any) -> Any:
    """The derivative of `y = logaddexp(x, other)` by `x`: exp(x - y), a number in [0, 1]."""
    return _weight(np.exp, x, other, y)


def logaddexp2_weight(x: Any, other: Any, y: Any) -> Any:
    """The derivative of `y = logaddexp2(x, other)` by `x`: 2 ** (x - y), a number in [0, 1]."""
    return _weight(np.exp2, x, other, y)


def _weight(power_of: Any, x: Any, other: Any, y: Any) -> Any:
    if np.isfinite(y).all():
        return power_of(x - y)
    with np.errstate(invalid="ignore"):
        weight = power_of(np.subtract(x, y))
    weight = np.where(np.equal(y, -np.inf), np.zeros((), weight.dtype), weight)
    at_infinity = np.where(np.equal(x, np.inf), np.where(np.equal(other, np.inf), 0.5, 1.0), 0.0)
    return np.where(np.equal(y, np.inf), at_infinity.astype(weight.dtype), weight)


# -- the larger, the smaller, the clipped --------------------------------------------------------


def maximum_adjoint(g: Any, x: Any, other: Any) -> Any:
    """The contribution to `x` of `maximum(x, other)`: half at equality, NaN where either is NaN."""
    return _winner(g, np.greater(x, other), np.less(x, other), x, other)


def minimum_adjoint(g: Any, x: Any, other: Any) -> Any:
    """The contribution to `x` of `minimum(x, other)`: half at equality, NaN where either is NaN."""
    return _winner(g, np.less(x, other), np.greater(x, other), x, other)


def fmax_adjoint(g: Any, x: Any, other: Any) -> Any:
    """As `maximum_adjoint`; where one is NaN the other takes all."""
    return _winner_of_numbers(g, np.greater(x, other), x, other)


def fmin_adjoint(g: Any, x: Any, other: Any) -> Any:
    """As `minimum_adjoint`; where one is NaN the other takes all."""
    return _winner_of_numbers(g, np.less(x, other), x, other)


def _winner(g: Any, wins: Any, loses: Any, x: Any, other: Any) -> Any:
    share = np.where(wins, g, 0.0)
    if np.count_nonzero(wins) + np.count_nonzero(loses) == share.size:
        return share
    share = np.where(np.equal(x, other), 0.5 * g, share)
    undefined = (np.isnan(x) | np.isnan(other)) & np.not_equal(g, 0.0)
    return np.where(undefined, np.full((), np.nan, share.dtype), share)


def _winner_of_numbers(g: Any, wins: Any, x: Any, other: Any) -> Any:
    share = np.where(wins | (np.isnan(other) & ~np.isnan(x)), g, 0.0)
    tied = np.equal(x, other) | (np.isnan(x) & np.isnan(other))
    return np.where(tied, 0.5 * g, share)


def clip_adjoint(g: Any, a: Any, a_min: Any, a_max: Any, min: Any, max: Any) -> Any:
    """The contribution to `a` of `clip`: all of it from bound to bound, bounds and NaN included."""
    lower = min if a_min is None else a_min
    upper = max if a_max is None else a_max
    outside: Any = False
    if lower is not None:
        outside = np.less(a, lower)
    if upper is not None:
        outside = outside | np.greater(a, upper)
        if lower is not None:
            outside = outside | np.greater(lower, upper)
    return np.where(outside, 0.0, g)


def clip_lower_adjoint(g: Any, a: Any, lower: Any, a_max: Any, max: Any) -> Any:
    """The contribution to the lower bound: where `a` is strictly below it and the upper bound is not."""
    upper = max if a_max is None else a_max
    chosen = np.less(a, lower)
    if upper is not None:
        chosen = chosen & np.less_equal(lower, upper)
    return np.where(chosen, g, 0.0)


def clip_upper_adjoint(g: Any, a: Any, a_min: Any, min: Any, upper: Any) -> Any:
    """The contribution to the upper bound: where `a`, or the lower bound, is strictly above it."""
    lower = min if a_min is None else a_min
    chosen = np.greater(a, upper)
    if lower is not None:
        chosen = chosen | np.greater(lower, upper)
    return np.where(chosen, g, 0.0)


# -- special functions ---------------------------------------------------------------------------


def sinc_slope(x: Any) -> Any:
    """The derivative of sin(pi x) / (pi x), 0 at 0.

    Near 0 the difference of the two terms cancels; there the Taylor series in t = pi x serves:
    sinc'(t) = -t/3 + t**3/30 - t**5/840 + t**7/45360, whose next term is below 1e-17 for |t| < 0.06.
    """
    t = np.multiply(x, math.pi)
    near = np.absolute(t) < 0.06
    away = np.where(near, np.ones((), t.dtype), t)
    u = t * t
    series = t * (-1 / 3 + u * (1 / 30 + u * (-1 / 840 + u / 45360)))
    return math.pi * np.where(near, series, (np.cos(away) - np.sin(away) / away) / away)


def bessel_i1(x: Any) -> Any:
    """The modified Bessel function I1, the derivative of `np.i0`.

    DLMF 10.32.3: I1(x) = (1/pi) integral over [0, pi] of exp(x cos t) cos t. The integrand is smooth
    and periodic, so the rule of equal weights converges geometrically; 512 nodes serve every |x| below
    about 700, where exp overflows.
    """
    x = np.asarray(x)
    dtype = x.dtype if x.dtype.kind == "f" else np.dtype(float)
    x = x.astype(float)
    count = 512
    nodes = np.cos(np.pi * (np.arange(count) + 0.5) / count)
    scale = np.absolute(x)[..., None]
    # exp(x cos t - |x|) cannot overflow; the factor exp(|x|) is put back at the end.
    scaled = np.mean(np.exp(x[..., None] * nodes - scale) * nodes, axis=-1)
    return (scaled * np.exp(np.absolute(x))).astype(dtype)


def digamma(x: float) -> float:
    """The logarithmic derivative of the gamma function, to about 1e-14 away from its zeros.

    Reflection (DLMF 5.5.4) for x < 1/2, recurrence (5.5.2) up to 10, then the asymptotic series
    (5.11.2), whose first term left out is below 1e-15 there.
    """
    x = float(x)
    if math.isinf(x):
        return x if x > 0 else math.nan
    if x < 0.5:
        return digamma(1.0 - x) - math.pi / math.tan(math.pi * (x - builtins.round(x)))
    shift = 0.0
    while x < 10.0:
        shift += 1.0 / x
        x += 1.0
    u = 1.0 / (x * x)
    series = u * (1 / 12 - u * (1 / 120 - u * (1 / 252 - u * (1 / 240 - u * (1 / 132 - u * (691 / 32760))))))
    return math.log(x) - 0.5 / x - series - shift


def real_adjoint(g: Any, x: Any) -> Any:
    """The contribution of `real` or `conjugate` of a real `x`; a complex `x` is refused."""
    _refuse_complex(x)
    return g


def imag_adjoint(g: Any, x: Any) -> Any:
    """The contribution of `imag` of a real `x`, zero; a complex `x` is refused."""
    _refuse_complex(x)
    return np.zeros_like(g)


def _refuse_complex(x: Any) -> None:
    if np.iscomplexobj(x):
        raise NotDifferentiable(
            "the real or imaginary part of a complex value that the gradient depends on",
            reason="Myia differentiates real numbers; the derivative of a complex value needs a convention",
            remedy="compute with the real and the imaginary part as two real arrays",
        )
