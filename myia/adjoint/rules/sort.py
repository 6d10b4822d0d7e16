# mypy: disable-error-code="no-untyped-def"
"""Sorting: an element's adjoint goes back to where the element came from.

Of equal elements any order is right: each is a one-sided derivative.
"""

import numpy as np

from myia import runtime as rt
from myia.adjoint.template import adjoint, d


@adjoint(np.sort)
def sort(y, a, axis=-1, kind=None, *, stable=None):
    d[a] += rt.sort_backward(d[y], y, a, axis)


@adjoint(np.partition)
def partition(y, a, kth, axis=-1, kind="introselect"):
    d[a] += rt.sort_backward(d[y], y, a, axis)


@adjoint(sorted)
def sorted_list(y, iterable, /, *, reverse=False):
    d[iterable] += rt.sorted_backward(d[y], iterable, reverse)


@adjoint(np.quantile)
def quantile(y, a, q, axis=None, *, keepdims=False):
    d[a] += rt.quantile_backward(d[y], a, q, axis, keepdims, 1.0)
    d[q] += rt.quantile_level_backward(d[y], a, q, axis, keepdims, 1.0)


@adjoint(np.percentile)
def percentile(y, a, q, axis=None, *, keepdims=False):
    d[a] += rt.quantile_backward(d[y], a, q, axis, keepdims, 100.0)
    d[q] += rt.quantile_level_backward(d[y], a, q, axis, keepdims, 100.0)
