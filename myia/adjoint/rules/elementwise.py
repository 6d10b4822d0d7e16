# mypy: disable-error-code="no-untyped-def"
"""NumPy's elementwise functions.

Products and quotients with a slope that may be infinite or NaN are `rt.times` and `rt.quotient`, which
keep a cotangent of exactly zero zero: what `np.where` did not select must not come back as 0 * inf.
Conventions: docs/conventions.md.
"""

import numpy as np

from myia import runtime as rt
from myia.adjoint.template import adjoint, d, elementwise

# -- exponentials and logarithms ------------------------------------------------


@elementwise(np.exp)
def exp(y, x, /):
    d[x] += rt.times(d[y], y)


@elementwise(np.exp2)
def exp2(y, x, /):
    d[x] += rt.times(d[y], y * 0.6931471805599453)  # log(2)


@elementwise(np.expm1)
def expm1(y, x, /):
    d[x] += rt.times(d[y], rt.exp(x))  # y + 1 would cancel for large negative x


@elementwise(np.log)
def log(y, x, /):
    d[x] += rt.quotient(d[y], x)


@elementwise(np.log2)
def log2(y, x, /):
    d[x] += rt.quotient(d[y], x * 0.6931471805599453)  # log(2)


@elementwise(np.log10)
def log10(y, x, /):
    d[x] += rt.quotient(d[y], x * 2.302585092994046)  # log(10)


@elementwise(np.log1p)
def log1p(y, x, /):
    d[x] += rt.quotient(d[y], x + 1.0)


@elementwise(np.logaddexp)
def logaddexp(y, x1, x2, /):
    d[x1] += rt.times(d[y], rt.logaddexp_weight(x1, x2, y))
    d[x2] += rt.times(d[y], rt.logaddexp_weight(x2, x1, y))


@elementwise(np.logaddexp2)
def logaddexp2(y, x1, x2, /):
    d[x1] += rt.times(d[y], rt.logaddexp2_weight(x1, x2, y))
    d[x2] += rt.times(d[y], rt.logaddexp2_weight(x2, x1, y))


# -- roots and powers -------------------------------------------------------------


@elementwise(np.sqrt)
def sqrt(y, x, /):
    d[x] += rt.quotient(d[y], 2.0 * y)


@elementwise(np.cbrt)
def cbrt(y, x, /):
    d[x] += rt.quotient(d[y], 3.0 * (y * y))


@elementwise(np.square)
def square(y, x, /):
    d[x] += rt.times(d[y], 2.0 * x)


@elementwise(np.reciprocal)
def reciprocal(y, x, /):
    d[x] -= rt.quotient(d[y], x * x)


@elementwise(np.hypot)
def hypot(y, x1, x2, /):
    d[x1] += rt.times(d[y], rt.ratio(x1, y))
    d[x2] += rt.times(d[y], rt.ratio(x2, y))


# -- trigonometric ------------------------------------------------------------------


@elementwise(np.sin)
def sin(y, x, /):
    d[x] += rt.times(d[y], rt.cos(x))


@elementwise(np.cos)
def cos(y, x, /):
    d[x] -= rt.times(d[y], rt.sin(x))


@elementwise(np.tan)
def tan(y, x, /):
    d[x] += rt.times(d[y], 1.0 + y * y)


@elementwise(np.arcsin)
def arcsin(y, x, /):
    d[x] += rt.quotient(d[y], rt.sqrt((1.0 - x) * (1.0 + x)))


@elementwise(np.arccos)
def arccos(y, x, /):
    d[x] -= rt.quotient(d[y], rt.sqrt((1.0 - x) * (1.0 + x)))


@elementwise(np.arctan)
def arctan(y, x, /):
    d[x] += rt.quotient(d[y], 1.0 + x * x)


@elementwise(np.arctan2)
def arctan2(y, x1, x2, /):
    radius = rt.hypot(x1, x2)
    d[x1] += rt.times(d[y], rt.angle_slope(x2, radius))
    d[x2] -= rt.times(d[y], rt.angle_slope(x1, radius))


@elementwise(np.degrees, np.rad2deg)
def degrees(y, x, /):
    d[x] += d[y] * 57.29577951308232  # 180 / pi


@elementwise(np.radians, np.deg2rad)
def radians(y, x, /):
    d[x] += d[y] * 0.017453292519943295  # pi / 180


@elementwise(np.sinc)
def sinc(y, x):
    d[x] += rt.times(d[y], rt.sinc_slope(x))


# -- hyperbolic -----------------------------------------------------------------------


@elementwise(np.sinh)
def sinh(y, x, /):
    d[x] += rt.times(d[y], rt.cosh(x))


@elementwise(np.cosh)
def cosh(y, x, /):
    d[x] += rt.times(d[y], rt.sinh(x))


@elementwise(np.tanh)
def tanh(y, x, /):
    # d[y] * (1 - y * y)
    d[x] += rt.tanh_adjoint(d[y], y)


@elementwise(np.arcsinh)
def arcsinh(y, x, /):
    d[x] += rt.quotient(d[y], rt.hypot(1.0, x))


@elementwise(np.arccosh)
def arccosh(y, x, /):
    d[x] += rt.quotient(d[y], rt.sqrt((x - 1.0) * (x + 1.0)))


@elementwise(np.arctanh)
def arctanh(y, x, /):
    d[x] += rt.quotient(d[y], (1.0 - x) * (1.0 + x))


@elementwise(np.i0)
def i0(y, x):
    d[x] += rt.times(d[y], rt.bessel_i1(x))


# -- selection ----------------------------------------------------------------------------


@elementwise(np.where)
def where(result, condition, x, y, /):
    d[x] += rt.where(condition, d[result], 0.0)
    d[y] += rt.where(condition, 0.0, d[result])


@elementwise(np.maximum)
def maximum(y, x1, x2, /):
    d[x1] += rt.maximum_adjoint(d[y], x1, x2)
    d[x2] += rt.maximum_adjoint(d[y], x2, x1)


@elementwise(np.minimum)
def minimum(y, x1, x2, /):
    d[x1] += rt.minimum_adjoint(d[y], x1, x2)
    d[x2] += rt.minimum_adjoint(d[y], x2, x1)


@elementwise(np.fmax)
def fmax(y, x1, x2, /):
    d[x1] += rt.fmax_adjoint(d[y], x1, x2)
    d[x2] += rt.fmax_adjoint(d[y], x2, x1)


@elementwise(np.fmin)
def fmin(y, x1, x2, /):
    d[x1] += rt.fmin_adjoint(d[y], x1, x2)
    d[x2] += rt.fmin_adjoint(d[y], x2, x1)


@elementwise(np.clip)
def clip(y, a, a_min=None, a_max=None, *, min=None, max=None):
    d[a] += rt.clip_adjoint(d[y], a, a_min, a_max, min, max)
    d[a_min] += rt.clip_lower_adjoint(d[y], a, a_min, a_max, max)
    d[a_max] += rt.clip_upper_adjoint(d[y], a, a_min, min, a_max)
    d[min] += rt.clip_lower_adjoint(d[y], a, min, a_max, max)
    d[max] += rt.clip_upper_adjoint(d[y], a, a_min, min, max)


@elementwise(np.heaviside)
def heaviside(y, x1, x2, /):
    d[x1] += rt.zeros_like(x1)
    d[x2] += rt.where(rt.equal(x1, 0.0), d[y], 0.0)


@elementwise(np.nan_to_num)
def nan_to_num(y, x, copy=True, nan=0.0, posinf=None, neginf=None):
    d[x] += rt.where(rt.isfinite(x), d[y], 0.0)


# -- signs, neighbours, parts ----------------------------------------------------------------


@elementwise(np.copysign)
def copysign(y, x1, x2, /):
    d[x1] += rt.times(d[y], rt.sign(x1) * rt.sign(y))
    d[x2] += rt.zeros_like(x2)


@elementwise(np.nextafter)
def nextafter(y, x1, x2, /):
    d[x1] += d[y]


@elementwise(np.ldexp)
def ldexp(y, x1, x2, /):
    d[x1] += rt.ldexp(d[y], x2)


@adjoint(np.modf, broadcast=True)
def modf(y, x, /):
    d[x] += d[y][0]


@adjoint(np.frexp, broadcast=True)
def frexp(y, x, /):
    d[x] += rt.ldexp(d[y][0], -y[1])


@elementwise(np.real)
def real(y, val):
    d[val] += rt.real_adjoint(d[y], val)


@elementwise(np.imag)
def imag(y, val):
    d[val] += rt.imag_adjoint(d[y], val)


@elementwise(np.conjugate)
def conjugate(y, x, /):
    d[x] += rt.real_adjoint(d[y], x)
