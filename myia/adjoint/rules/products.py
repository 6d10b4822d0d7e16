# mypy: disable-error-code="no-untyped-def"
"""Products of arrays: matrix, inner, outer and tensor products, `einsum`, Kronecker, cross.

With `y = x1 @ x2`, the backprop of matrices is d_x1 = d_y x2^T and d_x2 = x1^T d_y (Giles 2008,
"Collected matrix derivative results for forward and reverse mode algorithmic differentiation").
Products of known ranks up to 2 have rules of their own under keys (function, rank, rank).
"""

import operator

import numpy as np

from myia import runtime as rt
from myia.adjoint.template import adjoint, d


@adjoint((np.matmul, 1, 1), (operator.matmul, 1, 1), (np.dot, 1, 1))
def vector_vector(y, x1, x2, /):
    d[x1] += d[y] * x2
    d[x2] += d[y] * x1


@adjoint((np.matmul, 2, 1), (operator.matmul, 2, 1), (np.dot, 2, 1))
def matrix_vector(y, x1, x2, /):
    d[x1] += rt.vector_outer(d[y], x2)
    d[x2] += rt.array_dot(d[y], x1)


@adjoint((np.matmul, 1, 2), (operator.matmul, 1, 2), (np.dot, 1, 2))
def vector_matrix(y, x1, x2, /):
    d[x1] += rt.array_dot(x2, d[y])
    d[x2] += rt.vector_outer(x1, d[y])


@adjoint((np.matmul, 2, 2), (operator.matmul, 2, 2), (np.dot, 2, 2))
def matrix_matrix(y, x1, x2, /):
    d[x1] += rt.array_dot(d[y], rt.array_transpose(x2))
    d[x2] += rt.array_dot(rt.array_transpose(x1), d[y])


@adjoint(np.matmul, operator.matmul)
def matmul(y, x1, x2, /):
    d[x1] += rt.matmul_left(d[y], x1, x2)
    d[x2] += rt.matmul_right(d[y], x1, x2)


@adjoint(np.dot)
def dot(y, a, b):
    d[a] += rt.dot_left(d[y], a, b)
    d[b] += rt.dot_right(d[y], a, b)


@adjoint(np.vdot)
def vdot(y, a, b, /):
    d[a] += rt.vdot_backward(d[y], a, b)
    d[b] += rt.vdot_backward(d[y], b, a)


@adjoint(np.inner)
def inner(y, a, b, /):
    d[a] += rt.inner_left(d[y], a, b)
    d[b] += rt.inner_right(d[y], a, b)


@adjoint(np.outer)
def outer(y, a, b):
    d[a] += rt.outer_left(d[y], a, b)
    d[b] += rt.outer_right(d[y], a, b)


@adjoint(np.tensordot, result="unranked")
def tensordot(y, a, b, axes=2):
    d[a] += rt.tensordot_left(d[y], a, b, axes)
    d[b] += rt.tensordot_right(d[y], a, b, axes)


@adjoint(np.einsum)
def einsum(y, subscripts, /, *operands, optimize=False):
    # An array in the place of `subscripts` is the form with lists of labels, which is refused.
    d[subscripts] += rt.einsum_backward(d[y], subscripts, operands, optimize)
    d[operands] += rt.einsum_backward(d[y], subscripts, operands, optimize)


@adjoint(np.kron)
def kron(y, a, b):
    d[a] += rt.kron_left(d[y], a, b)
    d[b] += rt.kron_right(d[y], a, b)


@adjoint(np.cross)
def cross(y, a, b, axisa=-1, axisb=-1, axisc=-1, axis=None):
    d[a] += rt.cross_left(d[y], a, b, axisa, axisb, axisc, axis)
    d[b] += rt.cross_right(d[y], a, b, axisa, axisb, axisc, axis)


@adjoint(np.linalg.multi_dot)
def multi_dot(y, arrays):
    d[arrays] += rt.multi_dot_backward(d[y], arrays)
