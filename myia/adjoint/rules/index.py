# mypy: disable-error-code="no-untyped-def"
"""Reading elements: indexing, `take`, choices by masks, diagonals and triangles.

An element that was read several times collects the adjoints of its copies; one that was not read has
the adjoint zero, also where its value is NaN.
"""

import operator

import numpy as np

from myia import runtime as rt
from myia.adjoint.template import adjoint, d


@adjoint(operator.getitem)
def getitem(y, x, i, /):
    d[x][i] += d[y]


@adjoint(np.take)
def take(y, a, indices, axis=None, *, mode="raise"):
    d[a] += rt.take_backward(d[y], a, indices, axis, mode)


@adjoint(np.take_along_axis)
def take_along_axis(y, arr, indices, axis=-1):
    d[arr] += rt.take_along_axis_backward(d[y], arr, indices, axis)


@adjoint(np.compress)
def compress(y, condition, a, axis=None):
    d[a] += rt.compress_backward(d[y], condition, a, axis)


@adjoint(np.extract)
def extract(y, condition, arr):
    d[arr] += rt.extract_backward(d[y], condition, arr)


@adjoint(np.choose)
def choose(y, a, choices, *, mode="raise"):
    d[choices] += rt.choose_backward(d[y], a, choices, mode)


@adjoint(np.select)
def select(y, condlist, choicelist, default=0):
    d[choicelist] += rt.select_backward(d[y], condlist, choicelist)
    d[default] += rt.select_default_backward(d[y], condlist, default)


# -- diagonals and triangles -----------------------------------------------------------------------


@adjoint(np.diagonal)
def diagonal(y, a, offset=0, axis1=0, axis2=1):
    d[a] += rt.diagonal_backward(d[y], a, offset, axis1, axis2)


@adjoint(np.diag)
def diag(y, v, k=0):
    d[v] += rt.diag_backward(d[y], v, k)


@adjoint(np.diagflat)
def diagflat(y, v, k=0):
    d[v] += rt.diagflat_backward(d[y], v, k)


@adjoint(np.trace)
def trace(y, a, offset=0, axis1=0, axis2=1):
    d[a] += rt.trace_backward(d[y], a, offset, axis1, axis2)


@adjoint(np.tril)
def tril(y, m, k=0):
    d[m] += rt.unbroadcast(rt.tril(d[y], k), m)


@adjoint(np.triu)
def triu(y, m, k=0):
    d[m] += rt.unbroadcast(rt.triu(d[y], k), m)
