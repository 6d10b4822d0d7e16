# mypy: disable-error-code="no-untyped-def"
"""Linear algebra: norms, solutions, decompositions. The formulas' sources are in `myia/runtime/linalg.py`.

`cholesky`, `eigh` and `eigvalsh` read one triangle of their matrix: the adjoint is zero in the other.
"""

import numpy as np

from myia import runtime as rt
from myia.adjoint.template import adjoint, d


@adjoint(np.linalg.norm)
def norm(y, x, ord=None, axis=None, keepdims=False):
    d[x] += rt.norm_backward(d[y], y, x, ord, axis, keepdims)


@adjoint(np.linalg.inv)
def inv(y, a):
    d[a] += rt.inv_backward(d[y], y)


@adjoint(np.linalg.det)
def det(y, a):
    d[a] += rt.det_backward(d[y], a)


@adjoint(np.linalg.slogdet)
def slogdet(y, a):
    d[a] += rt.slogdet_backward(d[y], a)


@adjoint(np.linalg.solve)
def solve(y, a, b):
    d[a] += rt.solve_matrix_backward(d[y], a, y, b)
    d[b] += rt.solve_backward(d[y], a, b)


@adjoint(np.linalg.pinv)
def pinv(y, a, rcond=None, hermitian=False):
    d[a] += rt.pinv_backward(d[y], y, a)


@adjoint(np.linalg.matrix_power)
def matrix_power(y, a, n):
    d[a] += rt.matrix_power_backward(d[y], y, a, n)


# -- decompositions --------------------------------------------------------------------------------


@adjoint(np.linalg.cholesky)
def cholesky(y, a, /, *, upper=False):
    d[a] += rt.cholesky_backward(d[y], y, upper)


@adjoint(np.linalg.eigh, result="any")
def eigh(y, a, UPLO="L"):
    d[a] += rt.eigh_backward(d[y], y, UPLO)


@adjoint(np.linalg.eigvalsh)
def eigvalsh(y, a, UPLO="L"):
    d[a] += rt.eigvalsh_backward(d[y], a, UPLO)


@adjoint(np.linalg.qr, result="any")
def qr(y, a, mode="reduced"):
    d[a] += rt.qr_backward(d[y], y, a, mode)


@adjoint(np.linalg.svd, result="any")
def svd(y, a, full_matrices=True, compute_uv=True):
    d[a] += rt.svd_backward(d[y], y, a, full_matrices, compute_uv)


@adjoint(np.linalg.svdvals)
def svdvals(y, x, /):
    d[x] += rt.svdvals_backward(d[y], x)


# -- polynomials -----------------------------------------------------------------------------------


@adjoint(np.polyval)
def polyval(y, p, x):
    d[p] += rt.polyval_coefficients_backward(d[y], p, x)
    d[x] += rt.polyval_slope(d[y], p, x)


@adjoint(np.vander)
def vander(y, x, N=None, increasing=False):
    d[x] += rt.vander_backward(d[y], y, x, increasing)
