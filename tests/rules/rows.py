"""A row is one call of a function that has a derivative rule; `check` runs its template on values.

The template's adjoints are compared with central differences in random directions, with the complex
step where the function runs on complex numbers and is analytic, and with themselves: for other memory
layouts of the arguments, and in float32. Arguments and the result's adjoint are read-only meanwhile.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import myia.adjoint.rules  # noqa: F401
from myia._runtime import enter, leave
from myia.adjoint.template import RULES, Rule, run_template

STEP = 1e-6
COMPLEX_STEP = 1e-40


class Row:
    """`key` in the table of rules, and the call's arguments.

    `wrt`: parameters to differentiate, those that hold real numbers unless given. `analytic`: the complex
    step applies. `layouts`: the result does not depend on the memory layout of the arguments.
    """

    def __init__(
        self,
        key: Any,
        *args: Any,
        wrt: Sequence[str] | None = None,
        analytic: bool = True,
        layouts: bool = True,
        float32: bool = True,
        **kwargs: Any,
    ) -> None:
        self.key, self.args, self.kwargs = key, args, kwargs
        self.wrt, self.analytic, self.layouts, self.float32 = wrt, analytic, layouts, float32

    @property
    def rule(self) -> Rule:
        return RULES[self.key]

    @property
    def function(self) -> Callable[..., Any]:
        if not isinstance(self.key, tuple):
            return self.key
        if self.key[0] == "attribute":
            return lambda x: getattr(x, self.key[1])
        return self.key[0]

    def __repr__(self) -> str:
        keys = self.key if isinstance(self.key, tuple) else (self.key,)
        name = "-".join(getattr(key, "__qualname__", str(key)) for key in keys)
        shown = [_described(a) for a in self.args] + [f"{k}={_described(v)}" for k, v in self.kwargs.items()]
        return f"{name}({', '.join(shown)})"


def _described(x: Any) -> str:
    if isinstance(x, np.ndarray):
        return f"{x.dtype}{list(x.shape)}"
    if isinstance(x, (list, tuple)):
        return f"{type(x).__name__}[{', '.join(map(_described, x))}]"
    return repr(x)


def ids(rows: list[Row]) -> list[str]:
    return [f"{k}-{row!r}"[:100] for k, row in enumerate(rows)]


def uncovered(rows: list[Row], module: str) -> set[Any]:
    """The keys of the rules of a module that no row checks."""
    tested = {row.key for row in rows}
    return {key for key, rule in RULES.items() if rule.template.__module__ == module} - tested


def is_real(x: Any) -> bool:
    if isinstance(x, np.ndarray):
        return x.dtype.kind == "f"
    return isinstance(x, (float, np.floating))


def reals(x: Any) -> Iterator[Any]:
    if is_real(x):
        yield x
    elif isinstance(x, (list, tuple)):
        for item in x:
            yield from reals(item)


def paired(g: Any, x: Any) -> Iterator[tuple[Any, Any]]:
    """The adjoints beside the real leaves of `x`; a list's may be an array, any may be 0.0."""
    if is_real(x):
        yield g, x
    elif isinstance(x, (list, tuple)):
        listed = isinstance(g, (list, tuple)) or (isinstance(g, np.ndarray) and g.ndim)
        parts = g if listed else [0.0] * len(x)
        for part, item in zip(parts, x, strict=True):
            yield from paired(part, item)


def mapped(f: Callable[[Any], Any], x: Any) -> Any:
    """`f` of every real leaf, in the same structure (a list for a named tuple)."""
    if is_real(x):
        return f(x)
    if isinstance(x, (list, tuple)):
        items = [mapped(f, item) for item in x]
        return tuple(items) if type(x) is tuple else items
    return x


def frozen(x: Any) -> Any:
    """A read-only view of the arrays in `x`."""

    def freeze(leaf: Any) -> Any:
        if isinstance(leaf, np.ndarray):
            leaf = leaf.view()
            leaf.flags.writeable = False
        return leaf

    return mapped(freeze, x)


def laid_out(x: Any, layout: str) -> Any:
    """The same values in other memory: strided backwards with gaps, or in Fortran's order."""
    if not isinstance(x, np.ndarray) or not x.ndim:
        return x
    if layout == "fortran":
        return np.asfortranarray(x)
    roomy = np.full([2 * size for size in x.shape], np.nan, x.dtype)
    view = roomy[(slice(None, None, -2),) * x.ndim]
    view[...] = x
    return view


def check(row: Row) -> None:
    rng = np.random.default_rng(zlib.crc32(repr(row).encode()))
    bound = row.rule.signature.bind(*row.args, **row.kwargs)
    wrt = [n for n, v in bound.arguments.items() if list(reals(v))] if row.wrt is None else list(row.wrt)
    assert wrt, "nothing to differentiate"

    before = [np.array(leaf) for leaf in reals(list(bound.arguments.values()))]
    y = row.function(*bound.args, **bound.kwargs)
    d_y = frozen(mapped(lambda leaf: _like(rng.standard_normal(np.shape(leaf)), leaf), y))
    adjoints = _run(row, bound, y, d_y, wrt)
    after = list(reals(list(bound.arguments.values())))
    assert all(np.array_equal(p, q, equal_nan=True) for p, q in zip(before, after, strict=True))

    leaves = [leaf for name in wrt for leaf in reals(bound.arguments[name])]
    parts = [pair for name in wrt for pair in paired(adjoints[name], bound.arguments[name])]
    for g, x in parts:
        assert np.shape(g) == np.shape(x), (row, np.shape(g), np.shape(x))
        assert np.all(np.isfinite(g)), row

    for _ in range(2):
        directions = [rng.standard_normal(np.shape(leaf)) for leaf in leaves]
        terms = [np.asarray(g * v) for (g, _), v in zip(parts, directions, strict=True)]
        expected = sum(float(t.sum()) for t in terms)
        scale = sum(float(np.abs(t).sum()) for t in terms) + 1.0
        forward, backward = (_moved(row, bound, wrt, directions, h) for h in (STEP, -STEP))
        difference = _inner(d_y, y, forward, backward) / (2 * STEP)
        assert abs(difference - expected) <= 1e-6 * scale, (row, difference, expected)
        if row.analytic:
            moved = _moved(row, bound, wrt, directions, 1j * COMPLEX_STEP)
            slope = _inner_imaginary(d_y, moved) / COMPLEX_STEP
            assert abs(slope - expected) <= 1e-11 * scale, (row, slope, expected)

    if row.layouts:
        for layout in ("strided", "fortran"):
            again = row.rule.signature.bind(*row.args, **row.kwargs)
            for name, value in again.arguments.items():
                again.arguments[name] = mapped(lambda leaf: laid_out(leaf, layout), value)
            there = _run(row, again, y, mapped(lambda leaf: laid_out(leaf, layout), d_y), wrt)
            for name in wrt:
                for (g, _), (h, _) in zip(
                    paired(adjoints[name], bound.arguments[name]), paired(there[name], bound.arguments[name])
                ):
                    np.testing.assert_allclose(h, g, rtol=1e-9, atol=1e-11)
    if row.float32:
        check_float32(row, bound, wrt, rng)


def check_float32(row: Row, bound: Any, wrt: list[str], rng: np.random.Generator) -> None:
    narrow = row.rule.signature.bind(*row.args, **row.kwargs)
    for name, value in narrow.arguments.items():
        narrow.arguments[name] = mapped(
            lambda leaf: leaf.astype(np.float32) if isinstance(leaf, np.ndarray) else leaf, value
        )
    y = row.function(*narrow.args, **narrow.kwargs)
    d_y = frozen(mapped(lambda leaf: _like(rng.standard_normal(np.shape(leaf)), leaf), y))
    adjoints = _run(row, narrow, y, d_y, wrt)
    float32_result = all(getattr(leaf, "dtype", None) == np.float32 for leaf in reals(y))
    for name in wrt:
        for g, x in paired(adjoints[name], narrow.arguments[name]):
            assert np.shape(g) == np.shape(x)
            if isinstance(x, np.ndarray) and isinstance(g, np.ndarray) and float32_result:
                assert g.dtype == np.float32, (row, g.dtype)
    if isinstance(y, np.floating):
        # The adjoint of a scalar may be a Python float.
        for name, g in _run(row, narrow, y, float(d_y), wrt).items():
            for part, x in paired(g, narrow.arguments[name]):
                assert np.shape(part) == np.shape(x)
                if isinstance(x, np.ndarray) and isinstance(part, np.ndarray) and float32_result:
                    assert part.dtype == np.float32, (row, part.dtype)


def _run(row: Row, bound: Any, y: Any, d_y: Any, wrt: list[str]) -> dict[str, Any]:
    arguments = row.rule.signature.bind(*bound.args, **bound.kwargs)
    for name, value in arguments.arguments.items():
        arguments.arguments[name] = frozen(value)
    parts = list(d_y) if isinstance(d_y, tuple) else d_y
    # As emitted code runs it: on native arrays.
    args, kwargs, (result, cotangent) = enter((arguments.args, arguments.kwargs, (frozen(y), parts)))
    adjoints = leave(run_template(row.rule, result, args, kwargs, cotangent, set(wrt)))
    assert set(wrt) <= set(adjoints), (row, wrt)
    return adjoints


def _like(values: Any, leaf: Any) -> Any:
    return np.asarray(values, leaf.dtype) if isinstance(leaf, np.ndarray) else type(leaf)(values)


def _moved(row: Row, bound: Any, wrt: list[str], directions: list[Any], h: complex) -> Any:
    steps = iter(directions)

    def move(leaf: Any) -> Any:
        v = next(steps)
        if not isinstance(leaf, np.ndarray):
            return leaf + (h * float(v))
        moved = np.empty_like(leaf, dtype=complex if isinstance(h, complex) else None)
        moved[...] = leaf + h * v
        return moved

    there = row.rule.signature.bind(*row.args, **row.kwargs)
    for name in wrt:
        there.arguments[name] = mapped(move, there.arguments[name])
    return row.function(*there.args, **there.kwargs)


def _inner(d_y: Any, y: Any, forward: Any, backward: Any) -> float:
    terms = zip(reals(d_y), reals(forward), reals(backward), strict=True)
    return sum(float(np.sum(g * (p - q))) for g, p, q in terms)


def _inner_imaginary(d_y: Any, moved: Any) -> float:
    def leaves(x: Any) -> Iterator[Any]:
        if isinstance(x, (list, tuple)):
            for item in x:
                yield from leaves(item)
        else:
            yield x

    return sum(float(np.sum(g * np.imag(p))) for g, p in zip(reals(d_y), leaves(moved), strict=True))


_rng = np.random.default_rng(20)


def normal(*shape: int) -> Any:
    """An array of normal numbers; the same in each run."""
    return _rng.standard_normal(shape)


def numbers(count: int) -> list[float]:
    return [float(v) for v in _rng.standard_normal(count)]


def run_rule(key: Any, args: tuple[Any, ...], d_y: Any, wrt: str, **kwargs: Any) -> Any:
    """The adjoint of one parameter in `key(*args, **kwargs)`, for tests of single values."""
    y = key(*args, **kwargs)
    return run_template(RULES[key], y, args, kwargs, d_y, {wrt})[wrt]
