# mypy: disable-error-code="no-untyped-def"
"""Python's arithmetic and the NumPy functions behind it: + - * / ** % // abs.

The scalar templates hold plain Python arithmetic only, and never raise where the operation did not.
What holds at kinks and at the edges of a domain is in docs/conventions.md.
"""

import math
import operator

import numpy as np

from myia import runtime as rt
from myia.adjoint.template import adjoint, d, elementwise, on_scalars


@on_scalars(operator.add)
@elementwise(np.add, operator.add)
def add(y, x1, x2, /):
    d[x1] += d[y]
    d[x2] += d[y]


@on_scalars(operator.sub)
@elementwise(np.subtract, operator.sub)
def subtract(y, x1, x2, /):
    d[x1] += d[y]
    d[x2] -= d[y]


@elementwise(np.multiply, operator.mul)
def multiply(y, x1, x2, /):
    d[x1] += rt.times(d[y], x2)
    d[x2] += rt.times(d[y], x1)


@on_scalars(operator.mul)
def multiply_scalars(y, x1, x2, /):
    d[x1] += d[y] * x2
    d[x2] += d[y] * x1


@elementwise(np.divide, operator.truediv)
def divide(y, x1, x2, /):
    g = rt.quotient(d[y], x2)
    d[x1] += g
    d[x2] -= rt.times(g, y)


@on_scalars(operator.truediv)
def divide_scalars(y, x1, x2, /):
    d[x1] += d[y] / x2
    d[x2] -= d[y] * y / x2


@elementwise(np.power, operator.pow, pow)
def power(y, x1, x2, /):
    d[x1] += rt.power_base_adjoint(d[y], x1, x2)
    d[x2] += rt.power_exponent_adjoint(d[y], x1, y)


@elementwise(np.float_power)
def float_power(y, x1, x2, /):
    d[x1] += rt.power_base_adjoint(d[y], x1, x2)
    d[x2] += rt.power_exponent_adjoint(d[y], x1, y)


@on_scalars(operator.pow, pow)
def power_scalars(y, x1, x2, /):
    # For an exponent below 1 the power x1 ** (x2 - 1) may overflow, which raises, where y / x1 is inf.
    d[x1] += (
        d[y] * (x2 * x1 ** (x2 - 1))
        if x2 >= 1 or x1 > 1
        else d[y] * x2 * (y / x1)
        if x1 and x2
        else d[y] * x2 * math.inf
        if x2 and d[y]
        else 0.0
    )
    d[x2] += 0.0 if x1 <= 0 or y == 0 else d[y] * y * math.log(x1)


@elementwise(np.remainder, operator.mod)
def remainder(y, x1, x2, /):
    d[x1] += d[y]
    d[x2] -= rt.times(d[y], rt.floor_divide(x1, x2))


@on_scalars(operator.mod)
def remainder_scalars(y, x1, x2, /):
    d[x1] += d[y]
    d[x2] -= d[y] * (x1 // x2)


@adjoint(divmod, np.divmod, broadcast=True)
def quotient_and_remainder(y, x1, x2, /):
    d[x1] += d[y][1]
    d[x2] -= rt.times(d[y][1], y[0])


@elementwise(np.fmod)
def fmod(y, x1, x2, /):
    d[x1] += d[y]
    d[x2] -= rt.times(d[y], rt.trunc(rt.divide(x1, x2)))


@on_scalars(operator.neg)
@elementwise(np.negative, operator.neg)
def negative(y, x, /):
    d[x] -= d[y]


@on_scalars(operator.pos)
@elementwise(np.positive, operator.pos)
def positive(y, x, /):
    d[x] += d[y]


@elementwise(np.absolute, np.fabs, operator.abs, abs)
def absolute(y, x, /):
    d[x] += rt.times(d[y], rt.sign(x))


@on_scalars(operator.abs, abs)
def absolute_scalar(y, x, /):
    # 0.0 * x is 0 at the kink, and NaN for NaN.
    d[x] += d[y] if x > 0 else -d[y] if x < 0 else 0.0 * x


# -- the products and quotients of these templates, for second derivatives ---------------


@elementwise(rt.times)
def times(y, g, factor, /):
    d[g] += rt.times(d[y], factor)
    d[factor] += rt.times(d[y], g)


@elementwise(rt.quotient)
def quotient(y, g, x, /):
    h = rt.quotient(d[y], x)
    d[g] += h
    d[x] -= rt.times(h, y)
