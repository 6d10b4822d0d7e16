"""The methods of arrays, each with the function whose rule serves it.

`x.name(*args, **kwargs)` is `METHODS["name"](x, *args, **kwargs)`: the functions take what follows
the array in the order of the method. A method that is not here, such as those that write in place
(`fill`, `sort`, `partition`, `put`, `resize`), has no rule.
"""

from typing import Any

import numpy as np

METHODS: dict[str, Any] = {
    # reductions
    "all": np.all,
    "any": np.any,
    "max": np.max,
    "mean": np.mean,
    "min": np.min,
    "prod": np.prod,
    "std": np.std,
    "sum": np.sum,
    "trace": np.trace,
    "var": np.var,
    # running
    "cumprod": np.cumprod,
    "cumsum": np.cumsum,
    # elementwise
    "clip": np.clip,
    "conj": np.conjugate,
    "conjugate": np.conjugate,
    "round": np.round,
    # copies and conversions
    "astype": np.ndarray.astype,
    "copy": np.ndarray.copy,
    "item": np.ndarray.item,
    "tolist": np.ndarray.tolist,
    # positions
    "argmax": np.argmax,
    "argmin": np.argmin,
    "argpartition": np.argpartition,
    "argsort": np.argsort,
    "nonzero": np.nonzero,
    "searchsorted": np.searchsorted,
    # shapes and selections
    "diagonal": np.diagonal,
    "dot": np.dot,
    "flatten": np.ndarray.flatten,
    "ravel": np.ravel,
    "repeat": np.repeat,
    "reshape": np.ndarray.reshape,
    "squeeze": np.squeeze,
    "swapaxes": np.swapaxes,
    "take": np.take,
    "transpose": np.ndarray.transpose,
}
