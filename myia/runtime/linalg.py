"""Linear algebra: norms, solutions and decompositions, and their backprops.

Matrices are the last two axes; leading axes are batches. Sources of the formulas:

- Giles 2008, "Collected matrix derivative results for forward and reverse mode algorithmic
  differentiation" (inverse, determinant, solution, norms);
- Murray 2016, "Differentiation of the Cholesky decomposition", arXiv:1602.07527;
- Golub and Pereyra 1973, "The differentiation of pseudo-inverses and nonlinear least squares problems
  whose variables separate", SIAM J. Numer. Anal. 10 (pinv);
- Townsend 2016, "Differentiating the singular value decomposition";
- Walter and Lehmann 2010, "Algorithmic differentiation of linear algebra functions with application in
  optimum experimental design", arXiv:1001.1654, and Roberts and Roberts 2020, "QR and LQ decomposition
  matrix backpropagation algorithms for square, wide, and deep matrices", arXiv:2009.10071 (qr).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import polyval, vander

from myia.errors import MissingRule, NotDifferentiable
from myia.runtime.adjoints import unbroadcast
from myia.runtime.construct import typed

__all__ = [
    "cholesky_backward",
    "det_backward",
    "eigh_backward",
    "eigvalsh_backward",
    "inv_backward",
    "linalg_cholesky",
    "linalg_det",
    "linalg_eigh",
    "linalg_eigvalsh",
    "linalg_inv",
    "linalg_matrix_power",
    "linalg_norm",
    "linalg_pinv",
    "linalg_qr",
    "linalg_slogdet",
    "linalg_solve",
    "linalg_svd",
    "linalg_svdvals",
    "matrix_power_backward",
    "norm_backward",
    "pinv_backward",
    "polyval",
    "polyval_coefficients_backward",
    "polyval_slope",
    "qr_backward",
    "slogdet_backward",
    "solve_backward",
    "solve_matrix_backward",
    "svd_backward",
    "svdvals_backward",
    "vander",
    "vander_backward",
]

linalg_cholesky = np.linalg.cholesky
linalg_det = np.linalg.det
linalg_eigh = np.linalg.eigh
linalg_eigvalsh = np.linalg.eigvalsh
linalg_inv = np.linalg.inv
linalg_matrix_power = np.linalg.matrix_power
linalg_norm = np.linalg.norm
linalg_pinv = np.linalg.pinv
linalg_qr = np.linalg.qr
linalg_slogdet = np.linalg.slogdet
linalg_solve = np.linalg.solve
linalg_svd = np.linalg.svd
linalg_svdvals = np.linalg.svdvals


def _t(x: Any) -> Any:
    """The transposed matrices."""
    return np.swapaxes(x, -1, -2)


def _given(g: Any) -> bool:
    """Whether a part of a result has an adjoint that is not zero throughout."""
    return bool(np.any(g))


# -- norms -----------------------------------------------------------------------------------------


def norm_backward(g: Any, y: Any, x: Any, ord: Any, axis: Any, keepdims: bool) -> Any:
    """The adjoint of `x` in `np.linalg.norm(x, ord, axis, keepdims)`.

    Where the norm is zero the adjoint is zero, one of the subgradients. Elements, columns or rows that tie
    for a maximum or minimum share it equally. Raises MissingRule for an unknown `ord`.
    """
    x = np.asarray(x)
    g = typed(g, x)
    if axis is None:
        axes = tuple(range(x.ndim))
        if ord is None:
            return _euclidean(g.reshape((1,) * x.ndim), np.asarray(y).reshape((1,) * x.ndim), x)
    else:
        axes = tuple(k % x.ndim for k in axis) if isinstance(axis, (tuple, list)) else (axis % x.ndim,)
    if keepdims:
        y = np.asarray(y)
    else:
        g, y = np.expand_dims(g, axes), np.expand_dims(y, axes)
    if len(axes) == 1:
        return _vector_norm(g, y, x, ord, axes[0])
    return _matrix_norm(g, y, x, ord, axes)


def _euclidean(g: Any, y: Any, x: Any) -> Any:
    return np.multiply(np.divide(x, np.where(y == 0, 1, y)), g)


def _vector_norm(g: Any, y: Any, x: Any, order: Any, axis: int) -> Any:
    if order is None or order == 2:
        return _euclidean(g, y, x)
    if order in (np.inf, -np.inf):
        return g * (_shared(np.abs(x) == y, axis) * np.sign(x)).astype(g.dtype)
    if order == 1:
        return g * np.sign(x)
    if order == 0:
        return np.zeros(x.shape, np.result_type(x, np.float32))
    if isinstance(order, str):
        raise _unknown_norm(order)
    # (|x| / y)^(p - 1), the quotient first: the powers alone may overflow.
    some = (x != 0) & (y != 0)
    ratio = np.where(some, np.abs(x), 1) / np.where(some, y, 1)
    return g * np.where(some, np.sign(x) * ratio ** (order - 1), 0)


def _shared(chosen: Any, axis: Any) -> Any:
    """Equal shares, adding up to one along `axis`, for those that were chosen."""
    return chosen / np.maximum(chosen.sum(axis=axis, keepdims=True), 1)


def _matrix_norm(g: Any, y: Any, x: Any, order: Any, axes: tuple[int, ...]) -> Any:
    if order in (None, "fro", "f"):
        return _euclidean(g, y, x)
    if order in (1, -1, np.inf, -np.inf):
        summed, over = (axes[0], axes[1]) if abs(order) == 1 else (axes[1], axes[0])
        sums = np.abs(x).sum(axis=summed, keepdims=True)
        best = sums.max(axis=over, keepdims=True) if order > 0 else sums.min(axis=over, keepdims=True)
        return g * (_shared(sums == best, over) * np.sign(x)).astype(g.dtype)
    if order not in (2, -2, "nuc"):
        raise _unknown_norm(order)
    g_last, x_last = np.moveaxis(g, axes, (-2, -1)), np.moveaxis(x, axes, (-2, -1))
    u, s, vh = np.linalg.svd(x_last, full_matrices=False)
    if order == "nuc":
        d_s = np.sign(s)
    else:
        best = s.max(axis=-1, keepdims=True) if order == 2 else s.min(axis=-1, keepdims=True)
        d_s = _shared(s == best, -1) * np.sign(s)
    return np.moveaxis(g_last * ((u * d_s[..., None, :]) @ vh), (-2, -1), axes).astype(x.dtype, copy=False)


def _unknown_norm(order: Any) -> MissingRule:
    return MissingRule(
        f"np.linalg.norm with ord={order!r} has no derivative rule",
        remedy="write the norm with np.sum, np.abs and powers",
    )


# -- inverse, determinant, solution ----------------------------------------------------------------


def inv_backward(g: Any, y: Any) -> Any:
    """The adjoint of `a` in `y = inv(a)`: -y^T g y^T."""
    y_t = _t(y)
    return -(y_t @ g @ y_t)


def det_backward(g: Any, a: Any) -> Any:
    """The adjoint of `a` in `det(a)`: the matrix of cofactors, also where `a` is singular.

    With a = u diag(s) vh, the cofactors are det(u) det(vh) u diag(c) vh, where c_i is the product of all
    s_j but s_i: no division, so nothing is lost near a singular matrix.
    """
    a = np.asarray(a)
    n = a.shape[-1]
    g = typed(g, a)[..., None, None]
    if n == 0:
        return np.zeros(a.shape, a.dtype)
    u, s, vh = np.linalg.svd(a)
    ones = np.ones((*s.shape[:-1], 1), s.dtype)
    before = np.cumprod(np.concatenate([ones, s[..., :-1]], axis=-1), axis=-1)
    after = np.cumprod(np.concatenate([ones, s[..., :0:-1]], axis=-1), axis=-1)[..., ::-1]
    sign = np.linalg.det(u) * np.linalg.det(vh)
    cofactors = (u * (before * after)[..., None, :]) @ vh
    return g * (np.round(np.asarray(sign))[..., None, None] * cofactors)


def slogdet_backward(g: Any, a: Any) -> Any:
    """The adjoint of `a` in `slogdet(a)`: the sign has none, the logarithm has inv(a)^T."""
    d_log = typed(g[1], a)
    if not _given(d_log):
        return np.zeros(np.shape(a), np.asarray(a).dtype)
    return d_log[..., None, None] * _t(np.linalg.inv(a))


def solve_backward(g: Any, a: Any, b: Any) -> Any:
    """The adjoint of `b` in `y = solve(a, b)`: solve(a^T, g)."""
    return unbroadcast(_solve_transposed(g, a, np.ndim(b) == 1), np.asarray(b))


def solve_matrix_backward(g: Any, a: Any, y: Any, b: Any) -> Any:
    """The adjoint of `a` in `y = solve(a, b)`: -solve(a^T, g) y^T."""
    vectors = np.ndim(b) == 1
    d_b = _solve_transposed(g, a, vectors)
    if vectors:
        return unbroadcast(-(d_b[..., :, None] * y[..., None, :]), np.asarray(a))
    return unbroadcast(-(d_b @ _t(y)), np.asarray(a))


def _solve_transposed(g: Any, a: Any, vectors: bool) -> Any:
    a_t = _t(np.asarray(a))
    return np.linalg.solve(a_t, g[..., None])[..., 0] if vectors else np.linalg.solve(a_t, g)


def pinv_backward(g: Any, y: Any, a: Any) -> Any:
    """The adjoint of `a` in `y = pinv(a)`, for changes of `a` that keep its rank (Golub and Pereyra 1973)."""
    a = np.asarray(a)
    y_t, g_t = _t(y), _t(g)
    d_a = -(y_t @ g @ y_t)
    # (I - a y) g^T y y^T and y^T y g^T (I - y a); each vanishes where `a` has full rank on that side.
    left = g_t @ y @ y_t
    right = y_t @ y @ g_t
    return d_a + (left - a @ (y @ left)) + (right - (right @ y) @ a)


def matrix_power_backward(g: Any, y: Any, a: Any, n: int) -> Any:
    """The adjoint of `a` in `matrix_power(a, n)`: the sum over i of (a^T)^i g (a^T)^(n - 1 - i)."""
    a = np.asarray(a)
    if n == 0:
        return np.zeros(a.shape, a.dtype)
    factor = np.linalg.inv(a) if n < 0 else a
    factor_t = _t(factor)
    total = g
    # Horner's scheme: with r_k = sum_{i<k} f^i g f^(k-1-i), r_{k+1} = f r_k + g f^k.
    power = factor_t
    for _ in range(abs(n) - 1):
        total = factor_t @ total + g @ power
        power = power @ factor_t
    return inv_backward(total, factor) if n < 0 else total


# -- decompositions --------------------------------------------------------------------------------


def cholesky_backward(g: Any, y: Any, upper: bool) -> Any:
    """The adjoint of `a` in `y = cholesky(a)` (Murray 2016, section 4.1), in the triangle that is read.

    NumPy reads one triangle of `a` only, so the adjoint is zero in the other. The symmetric matrix that
    other tools give is the mean of this one and its transpose.
    """
    lower, g = (_t(y), _t(g)) if upper else (y, g)
    d_a = _read_triangle(_cholesky_symmetric(np.tril(g), lower), upper=False)
    return _t(d_a) if upper else d_a


def _cholesky_symmetric(g: Any, lower: Any) -> Any:
    """L^-T phi(L^T g) L^-1, where phi takes the lower triangle and half the diagonal; not symmetrised."""
    phi = _lower_half(_t(lower) @ g)
    inner = np.linalg.solve(_t(lower), phi)
    return _t(np.linalg.solve(_t(lower), _t(inner)))


def _lower_half(x: Any) -> Any:
    """The lower triangle, with half the diagonal."""
    return np.tril(x) - 0.5 * _diagonal_part(x)


def _diagonal_part(x: Any) -> Any:
    return x * np.eye(x.shape[-1], x.shape[-1], dtype=x.dtype)


def _read_triangle(s: Any, *, upper: bool) -> Any:
    """The adjoint of a matrix of which one triangle is read, for the symmetric matrix's adjoint `s`."""
    both = s + _t(s)
    return (np.triu(both) if upper else np.tril(both)) - _diagonal_part(s)


def eigh_backward(g: Any, y: Any, UPLO: str) -> Any:  # noqa: N803
    """The adjoint of `a` in `w, v = eigh(a, UPLO)`, in the triangle that is read (Giles 2008, 3.1).

    Raises NotDifferentiable where eigenvalues are equal and the result depends on the eigenvectors, which
    are then no function of `a`.
    """
    w, v = y
    d_w, d_v = g
    v_t = _t(v)
    inner = np.zeros(v.shape, v.dtype)
    if _given(d_v):
        gaps = w[..., None, :] - w[..., :, None]
        inner += v_t @ d_v * _reciprocal_gaps(gaps, "eigenvalues", "np.linalg.eigh")
    inner += np.asarray(d_w)[..., None] * np.eye(w.shape[-1], dtype=v.dtype)
    return _read_triangle(v @ inner @ v_t, upper=UPLO.upper() == "U")


def _reciprocal_gaps(gaps: Any, values: str, function: str) -> Any:
    """1 / gaps off the diagonal, 0 on it."""
    off = ~np.eye(gaps.shape[-1], dtype=bool)
    if np.any(off & (gaps == 0)):
        raise NotDifferentiable(
            f"{function} meets equal {values}, and the gradient depends on their vectors",
            reason="those vectors are any basis of their space, no function of the matrix",
            remedy=f"use the {values} only, or a matrix function that does not need their vectors",
        )
    return np.where(off, 1 / np.where(off, gaps, 1), 0)


def eigvalsh_backward(g: Any, a: Any, UPLO: Any) -> Any:  # noqa: N803
    """The adjoint of `a` in `eigvalsh(a, UPLO)`, in the triangle that is read."""
    _, v = np.linalg.eigh(a, UPLO)
    return _read_triangle((v * g[..., None, :]) @ _t(v), upper=UPLO.upper() == "U")


def qr_backward(g: Any, y: Any, a: Any, mode: str) -> Any:
    """The adjoint of `a` in `qr(a)`: modes "reduced", "r", and "complete" of a square or wide matrix.

    For m x n with m >= n: (d_q + q copyltu(m)) r^-T with m = r d_r^T - d_q^T q (Walter and Lehmann 2010).
    For a wide a = [x, z], x square: q and the first columns of r come from x, and z = q r_z.
    Raises MissingRule for other modes. A matrix without full rank raises NumPy's LinAlgError.
    """
    a = np.asarray(a)
    m, n = a.shape[-2:]
    if mode not in ("reduced", "r") and not (mode == "complete" and m <= n):
        raise MissingRule(
            f"np.linalg.qr with the mode {mode!r} has no derivative rule for {m} x {n} matrices",
            reason="the columns of q beyond the rank are any basis, no function of the matrix",
            remedy="use the mode 'reduced'",
        )
    if mode == "r":
        q, r = np.linalg.qr(a)
        d_q, d_r = np.zeros(q.shape, q.dtype), g
    else:
        q, r = y
        d_q = np.broadcast_to(g[0], q.shape)
        d_r = np.broadcast_to(g[1], r.shape)
    if m >= n:
        return _qr_tall(d_q, d_r, q, r)
    d_rz = d_r[..., m:]
    d_x = _qr_tall(d_q + a[..., m:] @ _t(d_rz), d_r[..., :m], q, r[..., :m])
    return np.concatenate([d_x, q @ d_rz], axis=-1)


def _qr_tall(d_q: Any, d_r: Any, q: Any, r: Any) -> Any:
    m = r @ _t(np.triu(d_r)) - _t(d_q) @ q
    symmetric = np.tril(m) + _t(np.tril(m, -1))
    return _t(np.linalg.solve(r, _t(d_q + q @ symmetric)))


def svd_backward(g: Any, y: Any, a: Any, full_matrices: bool, compute_uv: bool) -> Any:
    """The adjoint of `a` in `u, s, vh = svd(a)` (Townsend 2016).

    Raises MissingRule if it depends on the vectors that `full_matrices` adds to those of a matrix that is
    not square, NotDifferentiable if singular values are equal, or zero for one that is not square, and it
    depends on their vectors.
    """
    a = np.asarray(a)
    if not compute_uv:
        return svdvals_backward(g, a)
    m, n = a.shape[-2:]
    k = min(m, n)
    d_u, d_s, d_vh = g
    u, s, vh = y
    if not _given(d_u) and not _given(d_vh):
        return (u[..., :, :k] * np.broadcast_to(d_s, s.shape)[..., None, :]) @ vh[..., :k, :]
    if full_matrices and m != n:
        raise MissingRule(
            "np.linalg.svd with full_matrices has no derivative rule where the vectors matter",
            reason="the vectors beyond the rank are any basis, no function of the matrix",
            remedy="use full_matrices=False",
        )
    v = _t(vh)
    d_u, d_v = np.broadcast_to(d_u, u.shape), _t(np.broadcast_to(d_vh, vh.shape))
    squares = s * s
    f = _reciprocal_gaps(squares[..., None, :] - squares[..., :, None], "singular values", "np.linalg.svd")
    of_u, of_v = f * (_t(u) @ d_u), f * (_t(v) @ d_v)
    middle = (of_u + _t(of_u)) * s[..., None, :] + s[..., :, None] * (of_v + _t(of_v))
    middle = middle + np.broadcast_to(d_s, s.shape)[..., None] * np.eye(k, dtype=a.dtype)
    d_a = u @ middle @ vh
    if m != n:
        if np.any(s == 0):
            raise NotDifferentiable(
                "np.linalg.svd meets a singular value of zero, and the gradient depends on its vectors",
                reason="those vectors are any basis of their space, no function of the matrix",
                remedy="use the singular values only",
            )
        if m > k:
            scaled = d_u / s[..., None, :]
            d_a = d_a + (scaled - u @ (_t(u) @ scaled)) @ vh
        else:
            scaled = _t(d_v / s[..., None, :])
            d_a = d_a + u @ (scaled - (scaled @ v) @ vh)
    return d_a


def svdvals_backward(g: Any, a: Any) -> Any:
    """The adjoint of `a` in `svdvals(a)`: u diag(g) vh."""
    u, _, vh = np.linalg.svd(a, full_matrices=False)
    return (u * g[..., None, :]) @ vh


# -- polynomials -----------------------------------------------------------------------------------


def polyval_slope(g: Any, p: Any, x: Any) -> Any:
    """The adjoint of `x` in `np.polyval(p, x)`: g p'(x)."""
    p = np.asarray(p)
    slope = p[:-1] * np.arange(len(p) - 1, 0, -1).astype(p.dtype)
    return unbroadcast(np.multiply(g, np.polyval(slope, np.asarray(x))), x)


def polyval_coefficients_backward(g: Any, p: Any, x: Any) -> Any:
    """The adjoint of the coefficients `p`, from the highest power down: sum(g x^k)."""
    terms = []
    power = g
    for _ in range(len(p)):
        terms.append(np.sum(power))
        power = power * np.asarray(x)
    if isinstance(p, np.ndarray):
        return np.array(terms[::-1], p.dtype if p.dtype.kind == "f" else None)
    return terms[::-1]


def vander_backward(g: Any, y: Any, x: Any, increasing: bool) -> Any:
    """The adjoint of `x` in `np.vander(x, N, increasing)`: d x^k = k x^(k - 1)."""
    powers, g = (y, g) if increasing else (y[:, ::-1], g[:, ::-1])
    slopes = powers[:, :-1] * np.arange(1, max(powers.shape[1], 1)).astype(g.dtype)
    return (g[:, 1:] * slopes).sum(axis=1)
