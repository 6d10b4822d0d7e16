# mypy: disable-error-code="no-untyped-def"
"""Arrays made of numbers, lists and other arrays; conversions."""

import numpy as np

from myia import runtime as rt
from myia.adjoint.template import adjoint, d


@adjoint(np.array)
def array(y, object, dtype=None, *, copy=True, order="K", ndmin=0):
    d[object] += rt.nested_back(d[y], object)


@adjoint(np.asarray, np.asanyarray)
def asarray(y, a, dtype=None, order=None):
    d[a] += rt.nested_back(d[y], a)


@adjoint(np.ascontiguousarray, np.asfortranarray)
def ascontiguousarray(y, a, dtype=None):
    d[a] += rt.nested_back(d[y], a)


@adjoint(np.copy)
def copy(y, a, order="K"):
    d[a] += rt.nested_back(d[y], a)


@adjoint(np.ndarray.copy)
def ndarray_copy(y, self, /, order="C"):
    d[self] += d[y]


@adjoint(np.ndarray.astype)
def astype(y, self, /, dtype, order="K", casting="unsafe", subok=True, copy=True):
    d[self] += rt.astype_back(d[y], self)


@adjoint(np.ndarray.item)
def item(y, self, /, *args):
    d[self] += rt.item_back(d[y], self, args)


@adjoint(np.ndarray.tolist, result="any")
def tolist(y, self, /):
    d[self] += rt.tolist_back(d[y], self)


@adjoint(list)
def as_list(y, iterable, /):
    d[iterable] += rt.elements_back(d[y], iterable)


@adjoint(tuple, result="any")
def as_tuple(y, iterable, /):
    d[iterable] += rt.elements_back(d[y], iterable)


@adjoint(np.full)
def full(y, shape, fill_value, dtype=None, order="C"):
    d[fill_value] += rt.fill_back(d[y], fill_value)


@adjoint(np.full_like)
def full_like(y, a, fill_value, dtype=None, order="K", subok=True, shape=None):
    d[a] += rt.zeros_like(a)  # only its shape matters
    d[fill_value] += rt.fill_back(d[y], fill_value)


@adjoint(np.meshgrid)
def meshgrid(y, *xi, copy=True, sparse=False, indexing="xy"):
    d[xi] += rt.meshgrid_backward(d[y], xi, indexing)
