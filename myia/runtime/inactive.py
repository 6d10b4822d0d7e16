"""NumPy functions without derivative that emitted code calls, beside those in elementwise.py."""

import numpy as np
from numpy import (
    all,
    any,
    arange,
    argmax,
    argmin,
    argpartition,
    argsort,
    argwhere,
    array2string,
    array_equiv,
    array_repr,
    array_str,
    broadcast_shapes,
    can_cast,
    count_nonzero,
    digitize,
    dtype,
    empty,
    empty_like,
    eye,
    finfo,
    flatnonzero,
    float32,
    float64,
    identity,
    iinfo,
    indices,
    iscomplex,
    isin,
    issubdtype,
    lexsort,
    may_share_memory,
    nanargmax,
    nanargmin,
    ndim,
    nonzero,
    ones,
    ravel_multi_index,
    result_type,
    searchsorted,
    shape,
    shares_memory,
    size,
    unravel_index,
    zeros,
)

__all__ = [
    "all", "any", "arange", "argmax", "argmin", "argpartition", "argsort", "argwhere", "array2string",
    "array_equiv", "array_repr", "array_str", "broadcast_shapes", "can_cast", "count_nonzero", "digitize",
    "dtype", "empty", "empty_like", "eye", "finfo", "flatnonzero", "float32", "float64", "identity", "iinfo",
    "indices", "iscomplex", "isin", "issubdtype", "lexsort", "may_share_memory", "nanargmax", "nanargmin",
    "ndim", "nonzero", "ones", "ravel_multi_index", "result_type", "searchsorted", "shape", "shares_memory",
    "size", "unravel_index", "zeros",
    # under names of their own, since the algebra of adjoints has zeros_like and ones_like
    "numpy_ones_like", "numpy_zeros_like",
]  # fmt: skip

numpy_ones_like = np.ones_like
numpy_zeros_like = np.zeros_like
