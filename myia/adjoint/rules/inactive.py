"""The functions whose result has no derivative: integers, truths, texts, piecewise constants.

The second column is the type of the result, as in `adjoint`: "example" finds it by running the function.
Functions whose result is only sometimes without derivative (`np.where` of one argument, `np.histogram`
with its edges) do not belong here.
"""

import builtins
import math
import operator

import numpy as np

from myia.adjoint.template import inactive

# -- Python -------------------------------------------------------------------------

inactive(
    operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne,
    operator.floordiv, operator.and_, operator.or_, operator.xor, operator.invert,
    operator.lshift, operator.rshift, builtins.round,
    result="example",
)  # fmt: skip
inactive(
    operator.not_, operator.truth, operator.is_, operator.is_not, operator.contains,
    bool, isinstance, issubclass, callable, hasattr, builtins.any, builtins.all,
    result="bool",
)  # fmt: skip
inactive(len, int, id, hash, ord, operator.index, operator.length_hint, operator.countOf, result="int")
inactive(str, repr, format, ascii, chr, bin, hex, oct, result="str")
inactive(print, type, slice, result="any")

# -- math ------------------------------------------------------------------------------

inactive(math.floor, math.ceil, math.trunc, math.isqrt, math.factorial, math.comb, math.perm, result="int")
inactive(math.gcd, math.lcm, result="int")
inactive(math.isnan, math.isinf, math.isfinite, math.isclose, result="bool")
inactive(math.ulp, result="float")

# -- NumPy: comparisons and tests -----------------------------------------------------------

inactive(
    np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal,
    np.logical_and, np.logical_or, np.logical_xor, np.logical_not,
    np.isnan, np.isinf, np.isfinite, np.isneginf, np.isposinf, np.isclose, np.isreal, np.iscomplex, np.isin,
    np.signbit, np.all, np.any,
    result="example",
)  # fmt: skip
inactive(
    np.array_equal, np.array_equiv, np.allclose, np.isscalar, np.iscomplexobj, np.isrealobj,
    np.may_share_memory, np.shares_memory, np.can_cast, np.issubdtype,
    result="bool",
)  # fmt: skip

# -- NumPy: constant almost everywhere ---------------------------------------------------------

inactive(
    np.sign, np.floor, np.ceil, np.rint, np.trunc, np.fix, np.round, np.floor_divide, np.spacing,
    np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert, np.left_shift, np.right_shift, np.gcd, np.lcm,
    result="example",
)  # fmt: skip

# -- NumPy: positions and counts ----------------------------------------------------------------

inactive(
    np.argmax, np.argmin, np.nanargmax, np.nanargmin, np.argsort, np.argpartition, np.lexsort, np.argwhere,
    np.nonzero, np.flatnonzero, np.count_nonzero, np.searchsorted, np.digitize,
    result="example",
)  # fmt: skip

# -- NumPy: shapes, and arrays made after a shape ------------------------------------------------

inactive(
    np.shape, np.zeros_like, np.ones_like, np.empty_like, np.indices,
    np.zeros, np.ones, np.empty, np.eye, np.identity,
    result="example",
)  # fmt: skip
inactive(np.ndim, np.size, result="int")
inactive(np.array2string, np.array_repr, np.array_str, result="str")
inactive(
    np.result_type, np.finfo, np.iinfo, np.dtype,
    np.broadcast_shapes, np.unravel_index, np.ravel_multi_index,
    result="any",
)  # fmt: skip
