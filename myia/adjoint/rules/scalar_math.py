# mypy: disable-error-code="no-untyped-def"
"""The `math` module and Python's own numeric functions.

Each rule of a function of numbers serves twice: on scalars, where the compiler inlines it without any
call but those of `math`, and in general, since `math` also takes arrays of one element. No template
raises where the function itself did not: powers that could overflow are written as quotients, and an
infinite slope is spelled out. Functions of any number of operands have a rule of their own for two,
under a key of the operands' ranks, None for a number. Conventions: docs/conventions.md.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from myia import runtime as rt
from myia.adjoint.rules import arith
from myia.adjoint.template import adjoint, d, elementwise, on_scalars


def of_numbers(*functions: object) -> Callable[..., Any]:
    """Register a template both as the scalar and as the general rule; the result is a float."""

    def register(template: Callable[..., None]) -> Callable[..., None]:
        on_scalars(*functions, result="float")(template)
        elementwise(*functions, result="float")(template)
        return template

    return register


def since(name: str) -> list[object]:
    """The function of `math` of that name, if this Python has it."""
    return [getattr(math, name)] if hasattr(math, name) else []


# -- conversions ------------------------------------------------------------------


@of_numbers(float)
def float_of(y, x=0.0, /):
    d[x] += d[y]


@elementwise(np.float64, np.float32)
def numpy_float_of(y, x=0.0, /):
    d[x] += d[y]


@of_numbers(math.fabs)
def fabs(y, x, /):
    d[x] += d[y] if x > 0 else -d[y] if x < 0 else 0.0 * x


@of_numbers(math.copysign)
def copysign(y, x1, x2, /):
    d[x1] += d[y] * (math.copysign(1.0, x1) * math.copysign(1.0, x2)) if x1 else 0.0
    d[x2] += 0.0


@of_numbers(math.nextafter)
def nextafter(y, x1, x2, /):
    d[x1] += d[y]


@of_numbers(math.ldexp)
def ldexp(y, x, i, /):
    d[x] += math.ldexp(d[y], i)


@adjoint(math.modf, broadcast=True)
def modf(y, x, /):
    d[x] += d[y][0]


@adjoint(math.frexp, broadcast=True)
def frexp(y, x, /):
    d[x] += math.ldexp(d[y][0], -y[1])


@of_numbers(math.degrees)
def degrees(y, x, /):
    d[x] += d[y] * 57.29577951308232  # 180 / pi


@of_numbers(math.radians)
def radians(y, x, /):
    d[x] += d[y] * 0.017453292519943295  # pi / 180


# -- exponentials, logarithms, powers ------------------------------------------------


@of_numbers(math.exp)
def exp(y, x, /):
    d[x] += d[y] * y


@of_numbers(*since("exp2"))
def exp2(y, x, /):
    d[x] += d[y] * (y * 0.6931471805599453)  # log(2)


@of_numbers(math.expm1)
def expm1(y, x, /):
    d[x] += d[y] * math.exp(x)  # y + 1 would cancel for large negative x


@of_numbers(math.log)
def log(y, x, base=None, /):
    d[x] += d[y] / x if base is None else d[y] / (x * math.log(base))
    d[base] -= d[y] * y / (base * math.log(base))


@of_numbers(math.log2)
def log2(y, x, /):
    d[x] += d[y] / (x * 0.6931471805599453)  # log(2)


@of_numbers(math.log10)
def log10(y, x, /):
    d[x] += d[y] / (x * 2.302585092994046)  # log(10)


@of_numbers(math.log1p)
def log1p(y, x, /):
    d[x] += d[y] / (1.0 + x)


@of_numbers(math.sqrt)
def sqrt(y, x, /):
    d[x] += 0.5 * d[y] / y if y else d[y] * math.inf if d[y] else 0.0


@of_numbers(*since("cbrt"))
def cbrt(y, x, /):
    d[x] += d[y] / (3.0 * (y * y)) if y else d[y] * math.inf if d[y] else 0.0


of_numbers(math.pow)(arith.power_scalars)


@adjoint((math.hypot, None, None), result="float")  # of two numbers
def hypot_of_two(y, x1, x2, /):
    d[x1] += d[y] * (x1 / y) if y else 0.0
    d[x2] += d[y] * (x2 / y) if y else 0.0


@adjoint(math.hypot, result="float")
def hypot(y, *coordinates):
    d[coordinates] += rt.hypot_adjoint(d[y], y, coordinates)


@adjoint(math.dist, result="float")
def dist(y, p, q, /):
    d[p] += rt.dist_adjoint(d[y], y, p, q)
    d[q] += rt.dist_adjoint(d[y], y, q, p)


@adjoint(*since("fma"), result="float")
def fma(result, x, y, z, /):
    d[x] += d[result] * y
    d[y] += d[result] * x
    d[z] += d[result]


# -- trigonometric and hyperbolic -------------------------------------------------------


@of_numbers(math.sin)
def sin(y, x, /):
    d[x] += d[y] * math.cos(x)


@of_numbers(math.cos)
def cos(y, x, /):
    d[x] -= d[y] * math.sin(x)


@of_numbers(math.tan)
def tan(y, x, /):
    d[x] += d[y] * (1.0 + y * y)


@of_numbers(math.asin)
def asin(y, x, /):
    to_the_edge = (1.0 - x) * (1.0 + x)
    d[x] += d[y] / math.sqrt(to_the_edge) if to_the_edge else d[y] * math.inf if d[y] else 0.0


@of_numbers(math.acos)
def acos(y, x, /):
    to_the_edge = (1.0 - x) * (1.0 + x)
    d[x] -= d[y] / math.sqrt(to_the_edge) if to_the_edge else d[y] * math.inf if d[y] else 0.0


@of_numbers(math.atan)
def atan(y, x, /):
    d[x] += d[y] / (1.0 + x * x)


@of_numbers(math.atan2)
def atan2(y, x1, x2, /):
    radius = math.hypot(x1, x2)
    d[x1] += 0.0 if radius == 0.0 or radius == math.inf else d[y] * (x2 / radius / radius)
    d[x2] -= 0.0 if radius == 0.0 or radius == math.inf else d[y] * (x1 / radius / radius)


@of_numbers(math.sinh)
def sinh(y, x, /):
    d[x] += d[y] * math.cosh(x)


@of_numbers(math.cosh)
def cosh(y, x, /):
    d[x] += d[y] * math.sinh(x)


@of_numbers(math.tanh)
def tanh(y, x, /):
    d[x] += d[y] * (1.0 - y * y)


@of_numbers(math.asinh)
def asinh(y, x, /):
    d[x] += d[y] / math.hypot(1.0, x)


@of_numbers(math.acosh)
def acosh(y, x, /):
    from_the_edge = (x - 1.0) * (x + 1.0)
    d[x] += d[y] / math.sqrt(from_the_edge) if from_the_edge else d[y] * math.inf if d[y] else 0.0


@of_numbers(math.atanh)
def atanh(y, x, /):
    d[x] += d[y] / ((1.0 - x) * (1.0 + x))


# -- special functions ----------------------------------------------------------------------


@of_numbers(math.erf)
def erf(y, x, /):
    d[x] += d[y] * (1.1283791670955126 * math.exp(-(x * x)))  # 2 / sqrt(pi)


@of_numbers(math.erfc)
def erfc(y, x, /):
    d[x] -= d[y] * (1.1283791670955126 * math.exp(-(x * x)))


@of_numbers(math.gamma)
def gamma(y, x, /):
    d[x] += d[y] * (y * rt.digamma(x))


@of_numbers(math.lgamma)
def lgamma(y, x, /):
    d[x] += d[y] * rt.digamma(x)


# -- remainders -----------------------------------------------------------------------------------


@of_numbers(math.fmod, math.remainder)
def fmod(y, x1, x2, /):
    d[x1] += d[y]
    d[x2] -= d[y] * ((x1 - y) / x2)  # the whole quotient, without an integer that could overflow


# -- sums and choices -------------------------------------------------------------------------------


@adjoint(sum)
def sum_of_items(y, iterable, /, start=0):
    d[iterable] += rt.sum_of_items_adjoint(d[y], iterable)
    d[start] += rt.unbroadcast(d[y], start)


@adjoint(math.fsum, result="float")
def fsum(y, seq, /):
    d[seq] += rt.sum_of_items_adjoint(d[y], seq)


@adjoint(math.prod)
def prod_of_items(y, iterable, /, *, start=1):
    d[iterable] += rt.prod_of_items_adjoint(d[y], iterable, start)
    d[start] += d[y] * math.prod(iterable)


@adjoint(*since("sumprod"))
def sumprod(y, p, q, /):
    d[p] += rt.sumprod_adjoint(d[y], p, q)
    d[q] += rt.sumprod_adjoint(d[y], q, p)


@adjoint((max, None, None))  # of two numbers
def larger(y, x1, x2, /):
    # Python returns the first of two equals.
    d[x1] += 0.0 if x2 > x1 else d[y]
    d[x2] += d[y] if x2 > x1 else 0.0


@adjoint((min, None, None))  # of two numbers
def smaller(y, x1, x2, /):
    d[x1] += 0.0 if x2 < x1 else d[y]
    d[x2] += d[y] if x2 < x1 else 0.0


@adjoint(max)
def largest(y, *values):
    d[values] += rt.largest_adjoint(d[y], values)


@adjoint(min)
def smallest(y, *values):
    d[values] += rt.smallest_adjoint(d[y], values)
