"""The runtime facade: what emitted code and derivative rules call as `rt.*`.

Each module holds the functions of one subject as they run on NumPy arrays and Python numbers; `native` says
which of them have kernels in `myia._runtime`, and lets the others run on the host.
"""

from types import ModuleType as _Module
from typing import Any as _Any

from myia.runtime import (
    adjoints,
    construct,
    containers,
    dynamic,
    elementwise,
    inactive,
    index,
    linalg,
    native,
    products,
    reduce,
    shaping,
    sort,
)


def _exported(*modules: _Module) -> dict[str, _Any]:
    return {name: getattr(module, name) for module in modules for name in module.__all__}


# Which know Arrays themselves: the algebra of adjoints, containers, and calls that the run decides.
_OWN = _exported(adjoints, containers, dynamic)

FACADE: dict[str, _Any] = _OWN | _exported(
    construct, elementwise, inactive, index, linalg, products, reduce, shaping, sort
)
"""What each name of the table stands for: NumPy's function, or ours on NumPy arrays."""

globals().update(
    native.behind(FACADE, frozenset(_OWN) | {"negate", "matvec", "OuterSum", "vector_outer", "array_dot"})
)
outside = native.outside


def __getattr__(name: str) -> _Any:
    raise AttributeError(f"module 'myia.runtime' has no attribute {name!r}")
