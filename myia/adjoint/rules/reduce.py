# mypy: disable-error-code="no-untyped-def"
"""NumPy's reductions, running sums and products, and differences.

What NumPy takes between `axis` and `keepdims` by position (`out`) is left out, so a call that passes
it is refused; what follows it is keyword-only here. Conventions at ties: docs/conventions.md.
"""

import numpy as np

from myia import runtime as rt
from myia.adjoint.template import adjoint, d

# -- sums and means ---------------------------------------------------------------


@adjoint(np.sum)
def sum(y, a, axis=None, dtype=None, *, keepdims=False):
    d[a] += rt.spread(d[y], a, axis, keepdims)


@adjoint(np.mean)
def mean(y, a, axis=None, dtype=None, *, keepdims=False):
    d[a] += rt.spread_mean(d[y], a, axis, keepdims)


@adjoint(np.average)
def average(y, a, axis=None, weights=None, *, keepdims=False):
    d[a] += rt.average_adjoint(d[y], a, axis, weights, keepdims)
    d[weights] += rt.average_weights_adjoint(d[y], y, a, axis, weights, keepdims)


@adjoint(np.var)
def var(y, a, axis=None, dtype=None, *, ddof=0, keepdims=False):
    d[a] += rt.var_adjoint(d[y], a, axis, ddof, keepdims)


@adjoint(np.std)
def std(y, a, axis=None, dtype=None, *, ddof=0, keepdims=False):
    d[a] += rt.std_adjoint(d[y], y, a, axis, ddof, keepdims)


@adjoint(np.nansum)
def nansum(y, a, axis=None, dtype=None, *, keepdims=False):
    d[a] += rt.nansum_adjoint(d[y], a, axis, keepdims)


@adjoint(np.nanmean)
def nanmean(y, a, axis=None, dtype=None, *, keepdims=False):
    d[a] += rt.nanmean_adjoint(d[y], a, axis, keepdims)


@adjoint(np.nanvar)
def nanvar(y, a, axis=None, dtype=None, *, ddof=0, keepdims=False):
    d[a] += rt.nanvar_adjoint(d[y], a, axis, ddof, keepdims)


@adjoint(np.nanstd)
def nanstd(y, a, axis=None, dtype=None, *, ddof=0, keepdims=False):
    d[a] += rt.nanstd_adjoint(d[y], y, a, axis, ddof, keepdims)


@adjoint(np.trapezoid)
def trapezoid(result, y, x=None, dx=1.0, axis=-1):
    d[y] += rt.trapezoid_adjoint(d[result], y, x, dx, axis)
    d[x] += rt.trapezoid_nodes_adjoint(d[result], y, x, axis)
    d[dx] += rt.trapezoid_step_adjoint(d[result], y, x, dx, axis)


# -- products --------------------------------------------------------------------------


@adjoint(np.prod)
def prod(y, a, axis=None, dtype=None, *, keepdims=False):
    d[a] += rt.prod_adjoint(d[y], a, axis, keepdims)


@adjoint(np.nanprod)
def nanprod(y, a, axis=None, dtype=None, *, keepdims=False):
    d[a] += rt.nanprod_adjoint(d[y], a, axis, keepdims)


# -- the largest, the smallest, the middle -------------------------------------------------


@adjoint(np.max, np.min)
def max(y, a, axis=None, *, keepdims=False):
    d[a] += rt.extremum_adjoint(d[y], y, a, axis, keepdims)


@adjoint(np.nanmax, np.nanmin)
def nanmax(y, a, axis=None, *, keepdims=False):
    d[a] += rt.nan_extremum_adjoint(d[y], y, a, axis, keepdims)


@adjoint(np.ptp)
def ptp(y, a, axis=None, *, keepdims=False):
    d[a] += rt.ptp_adjoint(d[y], a, axis, keepdims)


@adjoint(np.median)
def median(y, a, axis=None, *, keepdims=False):
    d[a] += rt.median_adjoint(d[y], a, axis, keepdims)


# -- running sums and products, differences ---------------------------------------------------


@adjoint(np.cumsum)
def cumsum(y, a, axis=None, dtype=None):
    d[a] += rt.cumsum_adjoint(d[y], a, axis)


@adjoint(np.cumprod)
def cumprod(y, a, axis=None, dtype=None):
    d[a] += rt.cumprod_adjoint(d[y], a, axis)


@adjoint(np.diff)
def diff(y, a, n=1, axis=-1):
    d[a] += rt.diff_adjoint(d[y], a, n, axis)


@adjoint(np.ediff1d)
def ediff1d(y, ary):
    d[ary] += rt.ediff1d_adjoint(d[y], ary)


@adjoint(np.gradient)
def gradient(y, f, *varargs, axis=None, edge_order=1):
    d[f] += rt.gradient_adjoint(d[y], f, varargs, axis, edge_order)
    d[varargs] += rt.refuse_spacing()


# -- convolution, interpolation, even spacing ----------------------------------------------------------------


@adjoint(np.convolve)
def convolve(y, a, v, mode="full"):
    d[a] += rt.convolve_adjoint(d[y], a, v, mode)
    d[v] += rt.convolve_adjoint(d[y], v, a, mode)


@adjoint(np.interp)
def interp(y, x, xp, fp):
    d[x] += rt.interp_adjoint(d[y], x, xp, fp)
    d[xp] += rt.interp_nodes_adjoint(d[y], x, xp, fp)
    d[fp] += rt.interp_values_adjoint(d[y], x, xp, fp)


@adjoint(np.linspace)
def linspace(y, start, stop, num=50, endpoint=True):
    d[start] += rt.linspace_start_adjoint(d[y], start, num, endpoint)
    d[stop] += rt.linspace_stop_adjoint(d[y], stop, num, endpoint)
