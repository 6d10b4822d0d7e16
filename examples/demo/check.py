"""Checking a gradient against central differences in random directions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def relative_error(
    function: Callable[..., float],
    gradient: Any,
    point: Any,
    rest: tuple,
    rng: np.random.Generator,
    directions: int = 5,
) -> float:
    """The largest relative error of `gradient` along random directions through `point`.

    `point` is an array, or lists, tuples and dicts of arrays; `function(point, *rest)` is a float. The
    differences are of order four, (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12h, whose step balances
    rounding against truncation so that about ten digits are left to agree on.
    """
    h = 5e-5
    worst = 0.0
    for _ in range(directions):
        direction = _direction(point, rng)
        near = function(_moved(point, direction, h), *rest) - function(_moved(point, direction, -h), *rest)
        far = function(_moved(point, direction, 2 * h), *rest) - function(
            _moved(point, direction, -2 * h), *rest
        )
        difference = (8 * near - far) / (12 * h)
        slope = _inner(gradient, direction)
        worst = max(worst, abs(slope - difference) / max(abs(difference), 1e-8))
    return float(worst)


def _direction(point: Any, rng: np.random.Generator) -> Any:
    if isinstance(point, dict):
        return {name: _direction(part, rng) for name, part in point.items()}
    if isinstance(point, list | tuple):
        return type(point)(_direction(part, rng) for part in point)
    return rng.normal(size=np.shape(point))


def _moved(point: Any, direction: Any, h: float) -> Any:
    if isinstance(point, dict):
        return {name: _moved(part, direction[name], h) for name, part in point.items()}
    if isinstance(point, list | tuple):
        return type(point)(_moved(part, along, h) for part, along in zip(point, direction, strict=True))
    return point + h * direction


def _inner(gradient: Any, direction: Any) -> float:
    if isinstance(gradient, dict):
        return sum(_inner(part, direction[name]) for name, part in gradient.items())
    if isinstance(gradient, list | tuple):
        return sum(_inner(part, along) for part, along in zip(gradient, direction, strict=True))
    return float(np.sum(gradient * direction))
