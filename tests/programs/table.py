"""One row of the table of programs, and the arrays that rows take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.check import Wrt


class Program:
    """A program, what it is called with, and which of its arguments are differentiated.

    `analytic`: it also runs on complex numbers, and is analytic there, so that the complex step can
    check it: no `abs`, `//`, `%`, `float`, `math.*` on active values. `tolerance` and `step` go to
    `check_gradient`.
    """

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        *args: Any,
        wrt: Wrt = 0,
        analytic: bool = True,
        tolerance: float | None = None,
        step: float = 1.0,
        **kwargs: Any,
    ) -> None:
        self.name, self.function, self.args, self.kwargs = name, function, args, kwargs
        self.wrt, self.analytic, self.tolerance, self.step = wrt, analytic, tolerance, step

    def __repr__(self) -> str:
        return self.name


def vector(size: int, seed: int = 1) -> np.ndarray:
    """Distinct elements in (-1.2, 1.2), no two closer than 0.1 / size and none closer to 0 than 0.05.

    So neither `max`, `sort` nor `abs` has a kink within a step of the oracles.
    """
    return array(size, seed=seed)


def matrix(rows: int, columns: int, seed: int = 1) -> np.ndarray:
    return array(rows, columns, seed=seed)


def array(*shape: int, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    size = int(np.prod(shape))
    grid = (rng.permutation(size) + 0.5 + rng.uniform(-0.2, 0.2, size)) / max(size, 1)
    return (rng.choice([-1.0, 1.0], size) * (0.1 + 1.1 * grid)).reshape(shape)


def positive(*shape: int, seed: int = 1) -> np.ndarray:
    return np.abs(array(*shape, seed=seed)) + 0.2


def single(x: Any) -> Any:
    """The same in float32."""
    return x.astype(np.float32) if isinstance(x, np.ndarray) else np.float32(x)
