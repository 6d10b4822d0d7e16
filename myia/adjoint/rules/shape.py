# mypy: disable-error-code="no-untyped-def"
"""Operations that move elements without computing: their adjoints move them back.

Adjoints of views are views of the result's adjoint. An element that was copied collects the adjoints
of its copies; one that was left out has the adjoint zero.
"""

import numpy as np

from myia import runtime as rt
from myia.adjoint.template import adjoint, d, inactive

inactive(("attribute", "ndim"), ("attribute", "size"), ("attribute", "itemsize"), result="int")
inactive(("attribute", "nbytes"), result="int")
inactive(("attribute", "shape"), ("attribute", "dtype"), ("attribute", "strides"), result="any")


@adjoint(np.reshape)
def reshape(y, a, /, shape, order="C"):
    d[a] += rt.reshape_back(d[y], a, order)


@adjoint(np.ndarray.reshape)
def ndarray_reshape(y, self, /, *shape, order="C"):
    d[self] += rt.reshape_back(d[y], self, order)


@adjoint(np.ravel, np.ndarray.ravel, np.ndarray.flatten)
def ravel(y, a, order="C"):
    d[a] += rt.reshape_back(d[y], a, order)


@adjoint(np.expand_dims)
def expand_dims(y, a, axis):
    d[a] += rt.reshape_back(d[y], a)


@adjoint(np.squeeze, result="unranked")
def squeeze(y, a, axis=None):
    d[a] += rt.reshape_back(d[y], a)


@adjoint(np.atleast_1d)
def atleast_1d(y, ary, /):
    d[ary] += rt.reshape_back(d[y], ary)


@adjoint(np.atleast_2d)
def atleast_2d(y, ary, /):
    d[ary] += rt.reshape_back(d[y], ary)


@adjoint(np.atleast_3d)
def atleast_3d(y, ary, /):
    d[ary] += rt.reshape_back(d[y], ary)


# -- order of axes ---------------------------------------------------------------------------------


@adjoint(np.transpose)
def transpose(y, a, axes=None):
    d[a] += rt.transpose_back(d[y], axes)


@adjoint(np.ndarray.transpose)
def ndarray_transpose(y, self, /, *axes):
    d[self] += rt.transpose_back(d[y], axes)


@adjoint(("attribute", "T"))
def attribute_transpose(y, x, /):
    d[x] += rt.transpose(d[y])


@adjoint(("attribute", "mT"), np.matrix_transpose, np.linalg.matrix_transpose)
def matrix_transpose(y, x, /):
    d[x] += rt.matrix_transpose(d[y])


@adjoint(("attribute", "real"))
def real(y, x, /):
    d[x] += d[y]


@adjoint(np.swapaxes)
def swapaxes(y, a, axis1, axis2):
    d[a] += rt.swapaxes(d[y], axis1, axis2)


@adjoint(np.moveaxis)
def moveaxis(y, a, source, destination):
    d[a] += rt.moveaxis(d[y], destination, source)


@adjoint(np.rollaxis)
def rollaxis(y, a, axis, start=0):
    d[a] += rt.rollaxis_back(d[y], axis, start)


# -- joining and splitting -------------------------------------------------------------------------


@adjoint(np.concatenate)
def concatenate(y, arrays, /, axis=0):
    d[arrays] += rt.concatenate_backward(d[y], arrays, axis)


@adjoint(np.stack)
def stack(y, arrays, axis=0):
    d[arrays] += rt.stack_backward(d[y], arrays, axis)


@adjoint(np.vstack)
def vstack(y, tup):
    d[tup] += rt.concatenate_backward(d[y], tup, 0, 2)


@adjoint(np.hstack)
def hstack(y, tup):
    d[tup] += rt.concatenate_backward(d[y], tup, rt.hstack_axis(y), 1)


@adjoint(np.dstack)
def dstack(y, tup):
    d[tup] += rt.concatenate_backward(d[y], tup, 2, 3)


@adjoint(np.column_stack)
def column_stack(y, tup):
    d[tup] += rt.stack_backward(d[y], tup, 1, 2)


@adjoint(np.append)
def append(y, arr, values, axis=None):
    parts = rt.concatenate_backward(d[y], (arr, values), axis)
    d[arr] += parts[0]
    d[values] += parts[1]


@adjoint(np.split, np.array_split)
def split(y, ary, indices_or_sections, axis=0):
    d[ary] += rt.split_backward(d[y], y, axis)


@adjoint(np.hsplit)
def hsplit(y, ary, indices_or_sections):
    d[ary] += rt.split_backward(d[y], y, rt.hstack_axis(ary))


@adjoint(np.vsplit)
def vsplit(y, ary, indices_or_sections):
    d[ary] += rt.split_backward(d[y], y, 0)


@adjoint(np.dsplit)
def dsplit(y, ary, indices_or_sections):
    d[ary] += rt.split_backward(d[y], y, 2)


# -- copies of elements ----------------------------------------------------------------------------


@adjoint(np.broadcast_to)
def broadcast_to(y, array, shape):
    d[array] += rt.unbroadcast(d[y], array)


@adjoint(np.broadcast_arrays)
def broadcast_arrays(y, *args):
    d[args] += rt.unbroadcast_each(d[y], args)


@adjoint(np.tile)
def tile(y, A, reps):
    d[A] += rt.tile_backward(d[y], A, reps)


@adjoint(np.repeat)
def repeat(y, a, repeats, axis=None):
    d[a] += rt.repeat_backward(d[y], a, repeats, axis)


@adjoint(np.pad)
def pad(y, array, pad_width, mode="constant", *, constant_values=0, reflect_type="even"):
    d[array] += rt.pad_array_backward(d[y], array, pad_width, mode, reflect_type)
    d[constant_values] += rt.pad_constant_backward(d[y], pad_width, constant_values)


# -- turning ---------------------------------------------------------------------------------------


@adjoint(np.flip)
def flip(y, m, axis=None):
    d[m] += rt.flip(d[y], axis)


@adjoint(np.fliplr)
def fliplr(y, m):
    d[m] += rt.fliplr(d[y])


@adjoint(np.flipud)
def flipud(y, m):
    d[m] += rt.flipud(d[y])


@adjoint(np.roll)
def roll(y, a, shift, axis=None):
    d[a] += rt.roll_back(d[y], shift, axis)


@adjoint(np.rot90)
def rot90(y, m, k=1, axes=(0, 1)):
    d[m] += rt.rot90_back(d[y], k, axes)


# -- inserting and deleting ------------------------------------------------------------------------


@adjoint(np.insert)
def insert(y, arr, obj, values, axis=None):
    d[arr] += rt.insert_array_backward(d[y], arr, obj, values, axis)
    d[values] += rt.insert_values_backward(d[y], arr, obj, values, axis)


@adjoint(np.delete)
def delete(y, arr, obj, axis=None):
    d[arr] += rt.delete_backward(d[y], arr, obj, axis)
