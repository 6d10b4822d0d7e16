"""A case of a derivative rule: a call, and the check of its adjoints against two oracles.

A module of cases is a list of `case(function, *args, **kwargs)`. Unless `active` names parameters, all
that hold real floating-point numbers are differentiated. Samples keep away from kinks by more than
`STEP`; what holds at kinks is tested apart, as conventions.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import myia.adjoint.rules  # noqa: F401  (fills the tables)
from myia._runtime import enter, leave
from myia.adjoint.template import RULES, SCALAR_RULES, Rule, run_template

STEP = 1e-4
"""Central differences at STEP and STEP / 2, extrapolated: truncation about STEP**4 / 480 ~ 1e-19 times the
fifth derivative, rounding about 1e-16 / STEP ~ 1e-12 of the terms; 1e-8 leaves room for steep functions."""

COMPLEX_STEP = 1e-40

TOLERANCE = {"differences": 1e-8, "complex": 1e-12, "float32": 2e-5}
"""Relative to the sum of the absolute terms of the directional derivative. A float32 rule rounds some ten
times by 6e-8; the slopes of the special functions amplify that."""


@dataclass(frozen=True, eq=False)
class Case:
    """One call of a function that has a rule."""

    function: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    active: tuple[str, ...] | None = None
    analytic: bool = False

    def __str__(self) -> str:
        given = [*map(_brief, self.args), *(f"{k}={_brief(v)}" for k, v in self.kwargs.items())]
        module = getattr(self.function, "__module__", None) or "numpy"
        return f"{module}.{getattr(self.function, '__name__', self.function)}({','.join(given)})"

    @property
    def rules(self) -> list[Rule]:
        """The general rule, and those for scalars where every operand is one."""
        rules = [RULES[self.function]] if self.function in RULES else []
        if all(map(_is_scalar, self.args)):
            rules += [SCALAR_RULES[self.function]] if self.function in SCALAR_RULES else []
            ranks = (None,) * len(self.args)
            rules += [RULES[self.function, *ranks]] if (self.function, *ranks) in RULES else []
        return rules

    def call(self, rule: Rule, **replaced: Any) -> Any:
        """The value, with some parameters of the rule replaced."""
        bound = rule.signature.bind(*self.args, **self.kwargs)
        bound.arguments.update(replaced)
        return self.function(*bound.args, **bound.kwargs)


def case(
    function: Any, *args: Any, active: tuple[str, ...] | None = None, analytic: bool = False, **kwargs: Any
) -> Case:
    return Case(function, args, kwargs, active, analytic)


def check(case: Case, seed: int = 0) -> None:
    """Check all the rules that serve a case. Raises AssertionError."""
    assert case.rules, f"no rule for {case}"
    for rule in case.rules:
        check_rule(rule, case, seed)


def check_rule(rule: Rule, case: Case, seed: int = 0) -> None:
    """Structure, dtype, untouched arguments, and the directional derivative in random directions."""
    random = np.random.default_rng(seed)
    before = [_copied(a) for a in (*case.args, *case.kwargs.values())]
    result = case.call(rule)
    g = _random_like(result, random)
    g_before = _copied(g)
    arguments = rule.bind(*case.args, **case.kwargs).arguments
    active = case.active
    if active is None:
        active = tuple(name for name, value in arguments.items() if _is_real(value))
    # As emitted code runs it: on native arrays.
    args, kwargs, (native_result, native_g) = enter((case.args, case.kwargs, (result, g)))
    adjoints = leave(run_template(rule, native_result, args, kwargs, native_g, set(active)))
    for old, new in zip(before, (*case.args, *case.kwargs.values()), strict=True):
        _assert_same(old, new, f"{case}: an argument was changed")
    _assert_same(g_before, g, f"{case}: the cotangent was changed")
    for name in active:
        value = arguments[name]
        adjoint = adjoints.get(name, _zeros_like(value))
        _assert_form(adjoint, value, result, f"{case}: the adjoint of {name}")
        _check_directions(rule, case, name, value, adjoint, g, random)


def _check_directions(
    rule: Rule, case: Case, name: str, value: Any, adjoint: Any, g: Any, random: np.random.Generator
) -> None:
    single = any(leaf.dtype == np.float32 for leaf in _leaves([*case.args, *case.kwargs.values()]))
    for _ in range(2):
        v = _random_like(value, random)
        ours, size = _inner(adjoint, v)
        lifted = {k: _lifted(a) for k, a in rule.signature.bind(*case.args, **case.kwargs).arguments.items()}
        lifted_value = lifted.get(name, value)

        def along(t: complex, base: Any = lifted_value, v: Any = v, others: Any = lifted) -> Any:
            return case.call(rule, **{**others, name: _moved(base, v, t)})

        def slope(h: float, along: Callable[..., Any] = along) -> float:
            return (_inner(g, along(h))[0] - _inner(g, along(-h))[0]) / (2 * h)

        theirs = (4 * slope(STEP / 2) - slope(STEP)) / 3
        size = max(size, abs(theirs), _inner(g, along(0.0))[1])
        limit = TOLERANCE["float32" if single else "differences"] * max(size, 1e-3)
        assert abs(ours - theirs) <= limit, (
            f"{case} [{rule.name}], by {name}: {ours!r}, but differences give {theirs!r}"
        )
        if case.analytic and not single:
            exact = _inner(g, _imaginary(along(COMPLEX_STEP * 1j)))[0] / COMPLEX_STEP
            limit = TOLERANCE["complex"] * max(size, 1e-3)
            assert abs(ours - exact) <= limit, (
                f"{case} [{rule.name}], by {name}: {ours!r}, but the complex step gives {exact!r}"
            )


# -- numbers, arrays and nested lists of them --------------------------------------------------------


def _is_scalar(x: Any) -> bool:
    return isinstance(x, (int, float, np.number))


def _is_real(x: Any) -> bool:
    if isinstance(x, (list, tuple)):
        return bool(x) and all(map(_is_real, x))
    return isinstance(x, (float, np.floating)) or (isinstance(x, np.ndarray) and x.dtype.kind == "f")


def _leaves(x: Any) -> list[Any]:
    if isinstance(x, (list, tuple)):
        return [leaf for item in x for leaf in _leaves(item)]
    return [np.asarray(x)]


def _mapped(function: Callable[[Any], Any], x: Any) -> Any:
    if isinstance(x, (list, tuple)):
        return [_mapped(function, item) for item in x]
    return function(x)


def _copied(x: Any) -> Any:
    return _mapped(lambda leaf: leaf.copy() if isinstance(leaf, np.ndarray) else leaf, x)


def _random_like(x: Any, random: np.random.Generator) -> Any:
    def draw(leaf: Any) -> Any:
        if isinstance(leaf, np.ndarray):
            dtype = leaf.dtype if leaf.dtype.kind == "f" else np.dtype(float)
            return random.standard_normal(leaf.shape).astype(dtype)
        number = random.standard_normal()
        return leaf.dtype.type(number) if isinstance(leaf, np.floating) else number

    return _mapped(draw, x)


def _zeros_like(x: Any) -> Any:
    return _mapped(lambda leaf: np.zeros_like(leaf) if isinstance(leaf, np.ndarray) else 0.0, x)


def _lifted(x: Any) -> Any:
    def lift(leaf: Any) -> Any:
        if isinstance(leaf, (np.ndarray, np.floating)) and leaf.dtype == np.float32:
            return leaf.astype(float)
        return leaf

    if isinstance(x, tuple):
        return tuple(map(_lifted, x))
    return [_lifted(item) for item in x] if isinstance(x, list) else lift(x)


def _moved(x: Any, v: Any, t: complex) -> Any:
    if isinstance(x, (list, tuple)):
        return type(x)(_moved(a, b, t) for a, b in zip(x, v, strict=True))
    return x + t * np.asarray(v, float) if isinstance(x, np.ndarray) else x + t * float(v)


def _imaginary(x: Any) -> Any:
    return _mapped(np.imag, x)


def _inner(a: Any, b: Any) -> tuple[float, float]:
    """The inner product, and the sum of the absolute values of its terms."""
    if isinstance(a, (list, tuple)) or isinstance(b, (list, tuple)):
        pairs = [_inner(p, q) for p, q in zip(a, b, strict=True)]
        return sum(p for p, _ in pairs), sum(q for _, q in pairs)
    terms = np.asarray(a, float) * np.asarray(b, float)
    return float(terms.sum()), float(np.absolute(terms).sum())


def _assert_same(a: Any, b: Any, message: str) -> None:
    for p, q in zip(_leaves(a), _leaves(b), strict=True):
        assert p.dtype == q.dtype, message
        assert p.tobytes() == q.tobytes(), message


def _assert_form(adjoint: Any, value: Any, result: Any, what: str) -> None:
    """An adjoint has its parameter's structure and shape, and its dtype if the result has it too.

    An array may stand for a list.
    """
    if isinstance(value, (list, tuple)):
        assert len(adjoint) == len(value), what
        for part, item in zip(adjoint, value, strict=True):
            _assert_form(part, item, result, what)
        return
    assert np.shape(adjoint) == np.shape(value), f"{what} has shape {np.shape(adjoint)}"
    if isinstance(value, np.ndarray) and value.ndim:
        assert isinstance(adjoint, np.ndarray), what
        if any(leaf.dtype == value.dtype for leaf in _leaves(result)):
            assert adjoint.dtype == value.dtype, f"{what} has dtype {adjoint.dtype}"


def rules_of(module: Any) -> list[tuple[Any, Rule]]:
    """The rows of the tables that a module of rules holds."""
    rows = [*RULES.items(), *SCALAR_RULES.items()]
    return [
        (key[0] if isinstance(key, tuple) and key[1:] == (None, None) else key, rule)
        for key, rule in rows
        if rule.template.__module__ == module.__name__
    ]


def uncovered(modules: list[Any], cases: list[Case]) -> list[str]:
    """The rows of those modules that no case checks."""
    covered = {(case.function, rule) for case in cases for rule in case.rules}
    return [
        f"{function}: {rule.name} ({inspect.getsourcefile(rule.template)})"
        for module in modules
        for function, rule in rules_of(module)
        if (function, rule) not in covered
    ]


def _brief(x: Any) -> str:
    if isinstance(x, np.ndarray):
        return f"{x.dtype}{list(x.shape)}".replace(" ", "")
    if isinstance(x, (list, tuple)):
        return "[" + ",".join(map(_brief, x)) + "]"
    return f"{x:.3g}" if isinstance(x, float) else str(x)
