"""The native runtime under the facade: which operations have kernels, and how the others reach the host.

Emitted code calls `rt.name`. Behind a name stands, in this order: a kernel of `myia._runtime` (NumPy's inner
loops, a fused backprop, a product), or the function of the facade itself if it knows Arrays, or that function
on the host: it waits for its operands and runs on them as ndarrays.
"""

from __future__ import annotations

import atexit
import importlib.util
import pathlib
from collections.abc import Callable, Mapping
from types import MethodDescriptorType
from typing import Any

import numpy as np

from myia import _runtime
from myia._runtime import Array, outside
from myia.runtime.into import __all__ as _INTO  # noqa: N812

__all__ = ["ARRAYS", "HAS_BLAS", "Array", "behind", "kernel_of", "outside"]

ARRAYS = (np.ndarray, Array)
"""What counts as an array when the program runs."""


def _open_blas() -> bool:
    """Open the BLAS of the wheel: a copy of our own, whose threads are not those of the user's NumPy."""
    # The package itself is not imported: it reads its metadata at length, to say where the library is.
    spec = importlib.util.find_spec("scipy_openblas32")
    folders = [] if spec is None else spec.submodule_search_locations or []
    candidates = [path for folder in folders for path in sorted(pathlib.Path(folder).glob("lib/*openblas*"))]
    return any(_runtime.load_blas(str(path)) for path in candidates if path.is_file())


HAS_BLAS = _open_blas()
"""Without it (an unknown platform) matrix products are NumPy's."""


atexit.register(_runtime.end_process)

_KERNELS = {
    **{name: name for name in (
        "sum", "prod", "max", "min", "mean", "where", "concatenate", "reshape", "transpose", "broadcast_to",
        "matmul", "dot", "sum_to", "unbroadcast", "zeros_like", "form", "vector_outer", "spread", "cumsum",
        "cumprod",
    )},
    "matvec": "matmul", "array_dot": "dot",
}  # fmt: skip
_FUSED = (
    "times", "quotient", "tanh_adjoint", "maximum_adjoint", "minimum_adjoint", "fmax_adjoint", "fmin_adjoint",
    *_INTO,
)  # fmt: skip


_WITH_FALLBACK = ("sum_to", "unbroadcast", "zeros_like", "form", "vector_outer", "spread")


def _fallback(name: str, function: Callable[..., Any], own: frozenset[str]) -> Callable[..., Any]:
    return function if name in own else _runtime.host(function)


_kernels: dict[int, Callable[..., Any]] = {}


def kernel_of(function: Callable[..., Any]) -> Callable[..., Any]:
    """What computes a function of NumPy's or Python's on Arrays: a kernel, or the function on the host."""
    found = _kernels.get(id(function))
    if found is not None:
        return found
    if getattr(function, "__module__", None) == "_operator":
        return function
    return _runtime.host(function)


def behind(facade: Mapping[str, Any], own: frozenset[str]) -> dict[str, Any]:
    """What stands behind each name of the facade. Functions of `own` know Arrays."""
    _runtime.set_fallbacks({name: _fallback(name, facade[name], own) for name in _WITH_FALLBACK})
    found: dict[str, Any] = {}
    for name, function in facade.items():
        if not callable(function) or isinstance(function, type):
            found[name] = function
        elif isinstance(function, np.ufunc) and function.__name__ in _runtime.operators:
            found[name] = _runtime.operators[function.__name__]
        elif name in _KERNELS:
            found[name] = getattr(_runtime, _KERNELS[name])
        elif isinstance(function, MethodDescriptorType):
            found[name] = _method(function.__name__)
        elif name in _FUSED:
            found[name] = _runtime.fused(name, function if name in _INTO else _runtime.host(function))
        elif name in own:
            found[name] = function
        else:
            found[name] = _runtime.host(function)
    _runtime.set_numpy_functions(
        {facade[name]: kernel for name, kernel in found.items() if _is_numpy_kernel(facade[name], kernel)}
    )
    _kernels.update({id(function): found[name] for name, function in facade.items() if callable(function)})
    return found


def _is_numpy_kernel(function: Any, kernel: Any) -> bool:
    """Whether `kernel` is ours for a function of NumPy's that is no ufunc."""
    ours = getattr(kernel, "__module__", None) == "myia._runtime"
    return ours and isinstance(function, type(np.sum)) and not isinstance(function, np.ufunc)


def _method(name: str) -> Callable[..., Any]:
    """The method of that name of any array, as a function."""

    def method(x: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(x, name)(*args, **kwargs)

    method.__name__ = name
    return method
