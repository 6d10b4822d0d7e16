"""The runtime facade: what emitted code and derivative rules call as `rt.*`.

Each module holds the functions of one subject as they run on NumPy arrays and Python numbers; `native` says
which of them have kernels in `myia._runtime`, and lets the others run on the host.
"""

from types import ModuleType as _Module
from typing import Any

from myia._runtime import memory_stats, reset_peak, set_in_flight_bound, set_workers, trim, wait_all, workers
from myia.runtime import (
    adjoints,
    blocks,
    construct,
    containers,
    dynamic,
    elementwise,
    inactive,
    index,
    into,
    linalg,
    marks,
    mutators,
    native,
    private,
    products,
    reduce,
    shadows,
    shaping,
    snapshots,
    sort,
    updates,
)
from myia.runtime.chains import fused
from myia.runtime.tracing import trace

__all__ = [
    "FACADE", "fused", "memory_stats", "outside", "reset_peak", "set_in_flight_bound", "set_workers", "trace",
    "trim", "wait_all", "workers",
]  # fmt: skip


def _exported(*modules: _Module) -> dict[str, Any]:
    return {name: getattr(module, name) for module in modules for name in module.__all__}


# Which know Arrays themselves: the algebra of adjoints, containers, and calls that the run decides.
_OWN = _exported(adjoints, blocks, containers, dynamic, marks, mutators, private, shadows, snapshots, updates)

FACADE: dict[str, Any] = _OWN | _exported(
    construct, elementwise, inactive, index, into, linalg, products, reduce, shaping, sort
)
"""What each name of the table stands for: NumPy's function, or ours on NumPy arrays."""

globals().update(native.behind(FACADE, frozenset(_OWN) | {"negate", "OuterSum"}))
outside = native.outside


def __getattr__(name: str) -> Any:  # a type checker cannot see the names of the table
    raise AttributeError(f"module 'myia.runtime' has no attribute {name!r}")
