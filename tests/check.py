"""Is a gradient right? Oracles that share no code with the compiler.

`check_gradient` runs a program as plain Python, asks for its value and gradient, and compares:

- the value, bit by bit, with the plain run;
- the gradient's structure, types, shapes and dtypes with the argument's;
- its memory: its own, writable, apart from the arguments and from the other gradients;
- the caller's arguments, byte by byte, before and after;
- a second call with the first, bit by bit, after the first gradient was overwritten;
- the directional derivative in random directions with two oracles: Richardson-extrapolated central
  differences, and the complex step (or, where a program is not analytic, one-sided differences).

float32 arguments are lifted to float64 for the oracles, so that rounding does not drown them.

A program that writes into its arguments (`writes_arguments`) runs on copies, laid out in memory as the
originals are, so that a `reshape` is a view of the copy where it is one of the original. The gradient is
given the originals, and must leave them as they are. A `twin` is the same function written without writes:
its value must agree, and its derivative is one more oracle.
"""

from __future__ import annotations

import collections
import copy
import inspect
import math
import types
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

Wrt = int | str | tuple[int | str, ...]
ValueAndGrad = Callable[..., Callable[..., tuple[Any, Any]]]

DIRECTIONS = 3
"""Random directions a program is checked in. One would do with probability 1; three name the size."""

COMPLEX_STEP = 1e-40
"""Nothing is subtracted, so the step may be so small that its square vanishes beside 1."""

CENTRAL_STEP = 2e-3
"""The largest of four halved steps. Extrapolated, the truncation error is of order h^8, about 1e-20 at
the smallest step, and rounding is 1e-16 * |f| / 2.5e-4, below 1e-12 * |f|: far under the tolerance."""

ONE_SIDED_STEP = 1e-3
"""Six steps of this length to one side, order h^6 and extrapolated once: truncation about 1e-19, and
rounding 28 * 1e-16 * |f| / 5e-4, about 6e-12 * |f|."""

NOISE = 1e-10
"""An allowance for that rounding, as a share of |f|."""

TOLERANCE = {"float64": 1e-7, "float32": 1e-4}
"""Relative to the sum of the absolute terms of the directional derivative. A float64 gradient agrees to
about 1e-12; a float32 one rounds each operation to 6e-8, and programs here have some hundred of them."""


class GradientMismatch(AssertionError):
    """The gradient, or something that comes with it, is not what it should be."""


class UnsureOracle(GradientMismatch):
    """The finite differences do not converge: a kink lies within a step, or the step is unfit."""


def check_gradient(
    program: Callable[..., Any],
    args: Sequence[Any],
    wrt: Wrt = 0,
    *,
    kwargs: Mapping[str, Any] | None = None,
    analytic: bool = True,
    complex_program: Callable[..., Any] | None = None,
    skip_unsure: bool = False,
    tolerance: float | None = None,
    step: float = 1.0,
    writes_arguments: bool = False,
    twin: Callable[..., Any] | None = None,
    value_and_grad: ValueAndGrad | None = None,
) -> None:
    """Check value and gradient of `program` at `args`; raises GradientMismatch.

    `analytic`: the program runs on complex numbers and is analytic there (no `abs`, `math.*`, `//`;
    comparisons are fine, they look at the real part). `complex_program` replaces it for that oracle.
    `skip_unsure`: leave a direction out whose finite differences do not converge, instead of failing.
    `step`: scales the steps of the differences, for programs that round to float32 inside.
    `writes_arguments`: the program does so, and the oracles run on copies.
    `twin`: the same function, run on complex numbers if `analytic`.
    `value_and_grad`: what is tested, Myia's unless given.
    """
    kwargs = dict(kwargs or {})
    tested = _myia_value_and_grad() if value_and_grad is None else value_and_grad
    before = fingerprint((args, kwargs))
    primal = _primal(program, args, kwargs, writes_arguments, twin)

    function = tested(program, wrt=wrt)
    value, gradient = function(*args, **kwargs)
    check_same_value(value, primal)
    if fingerprint((args, kwargs)) != before:
        raise GradientMismatch("the caller's arguments were changed")

    places = _places(program, wrt, args, kwargs)
    selected = [_selected(place, args, kwargs) for place in places]
    gradients = _as_tuple(gradient, wrt)
    for number, (g, x) in enumerate(zip(gradients, selected, strict=True)):
        check_like(g, x, f"gradient {number}" if isinstance(wrt, tuple) else "gradient")
    check_own_memory(gradients, (args, kwargs))

    kept = [np.array(leaf) for _, leaf in leaves(gradients)]
    bits = fingerprint(gradients)
    overwrite(gradients)
    if fingerprint((args, kwargs)) != before:
        raise GradientMismatch("writing into the gradient changed an argument")
    value, again = function(*args, **kwargs)
    check_same_value(value, primal)
    if fingerprint(_as_tuple(again, wrt)) != bits:
        raise GradientMismatch("the second call gives another gradient than the first")
    if fingerprint((args, kwargs)) != before:
        raise GradientMismatch("the second call changed the caller's arguments")

    if tolerance is None:
        tolerance = TOLERANCE["float32" if _holds_float32((args, kwargs)) else "float64"]
    oracles = _oracles(program, args, kwargs, places, analytic, complex_program, step, writes_arguments, twin)
    _compare(kept, selected, oracles, tolerance, abs(float(primal)), skip_unsure)


def check_oracles(
    program: Callable[..., Any],
    args: Sequence[Any],
    wrt: Wrt = 0,
    *,
    kwargs: Mapping[str, Any] | None = None,
    analytic: bool = True,
    complex_program: Callable[..., Any] | None = None,
    tolerance: float | None = None,
    step: float = 1.0,
    writes_arguments: bool = False,
    twin: Callable[..., Any] | None = None,
) -> None:
    """Check that a program can be checked: its oracles agree with one another. No compiler takes part.

    The parameters are those of `check_gradient`; raises GradientMismatch.
    """
    kwargs = dict(kwargs or {})
    primal = _primal(program, args, kwargs, writes_arguments, twin)
    places = _places(program, wrt, args, kwargs)
    oracles = _oracles(program, args, kwargs, places, analytic, complex_program, step, writes_arguments, twin)
    if tolerance is None:
        tolerance = TOLERANCE["float64"]
    arguments = [leaf for place in places for _, leaf in leaves(_selected(place, args, kwargs))]
    rng = np.random.default_rng(20170)
    for _ in range(DIRECTIONS):
        direction = [_random_direction(leaf, rng) for leaf in arguments]
        (first, error), *others = [oracle(direction) for oracle in oracles]
        allowed = tolerance * abs(first) + NOISE * max(abs(float(primal)), 1e-2)
        if error > 10.0 * allowed:
            raise UnsureOracle(f"the finite differences are {first} +- {error}: is there a kink near?")
        for number, (other, its_error) in enumerate(others, 2):
            if not abs(other - first) <= allowed + error + its_error:
                raise GradientMismatch(
                    f"the oracles disagree: the first gives {first!r}, number {number} {other!r}"
                )


def _primal(
    program: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    writes_arguments: bool,
    twin: Callable[..., Any] | None,
) -> Any:
    """What the program returns; raises GradientMismatch for a needless flag, a stray write, another twin."""
    given, named = duplicate((args, kwargs)) if writes_arguments else (args, kwargs)
    before = fingerprint((given, named))
    primal = program(*given, **named)
    if (fingerprint((given, named)) == before) is writes_arguments:
        if writes_arguments:
            raise GradientMismatch("the program does not change its arguments, though it is said to")
        raise GradientMismatch("the program itself changes its arguments: it cannot be checked")
    if twin is not None:
        before = fingerprint((args, kwargs))
        other = twin(*args, **kwargs)
        if fingerprint((args, kwargs)) != before:
            raise GradientMismatch("the twin changes its arguments")
        rounding = 1e-12 if not _holds_float32((args, kwargs)) else 1e-5
        if not abs(other - primal) <= rounding * max(abs(primal), 1.0):
            raise GradientMismatch(f"the program returns {primal!r}, its twin {other!r}")
    return primal


def _oracles(
    program: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    places: Sequence[int | str],
    analytic: bool,
    complex_program: Callable[..., Any] | None,
    step: float,
    writes_arguments: bool,
    twin: Callable[..., Any] | None,
) -> list[_Oracle]:
    def differences(function: Callable[..., Any]) -> _Oracle:
        line = _Line(function, args, kwargs, places, writes_arguments)
        return lambda v: one_sided_difference(lambda t: line(t, v), step * ONE_SIDED_STEP)

    def imaginary(function: Callable[..., Any]) -> _Oracle:
        line = _Line(function, args, kwargs, places, writes_arguments)
        return lambda v: (complex_step(lambda t: line(t, v)), 0.0)

    central = _Line(program, args, kwargs, places, writes_arguments)
    oracles: list[_Oracle] = [lambda v: central_difference(lambda t: central(t, v), step * CENTRAL_STEP)]
    if analytic:
        oracles.append(imaginary(complex_program or program))
    else:
        oracles.append(differences(program))
    if twin is not None:
        oracles.append(imaginary(twin) if analytic else differences(twin))
    return oracles


def _myia_value_and_grad() -> ValueAndGrad:
    """Myia's own, imported late so that the checker can be tested without a compiler."""
    from myia import value_and_grad

    return value_and_grad


# -- the values themselves ------------------------------------------------------------------------


def check_same_value(value: Any, primal: Any) -> None:
    """The value that came with the gradient is the plain run's: same type, same bits."""
    if type(value) is not type(primal):
        raise GradientMismatch(
            f"the value is a {type(value).__name__}, the program returns a {type(primal).__name__}"
        )
    if fingerprint(value) != fingerprint(primal):
        raise GradientMismatch(f"the value is {value!r}, the program returns {primal!r}")


def check_like(gradient: Any, argument: Any, path: str) -> None:
    """The gradient has the argument's structure, types, shapes and dtypes."""
    if isinstance(argument, np.ndarray):
        if not isinstance(gradient, np.ndarray):
            raise GradientMismatch(f"{path} is a {type(gradient).__name__}, its argument an array")
        if gradient.shape != argument.shape:
            raise GradientMismatch(f"{path} has shape {gradient.shape}, its argument {argument.shape}")
        dtype = argument.dtype if argument.dtype.kind == "f" else np.dtype(float)
        if gradient.dtype != dtype:
            raise GradientMismatch(f"{path} has dtype {gradient.dtype}, expected {dtype}")
        return
    expected = type(argument) if isinstance(argument, (float, np.floating, list, tuple, dict)) else float
    if type(gradient) is not expected:
        raise GradientMismatch(f"{path} is a {type(gradient).__name__}, expected a {expected.__name__}")
    if isinstance(argument, dict):
        if list(gradient) != list(argument):
            raise GradientMismatch(f"{path} has keys {list(gradient)}, its argument {list(argument)}")
        for key, item in argument.items():
            check_like(gradient[key], item, f"{path}[{key!r}]")
    elif isinstance(argument, (list, tuple)):
        if len(gradient) != len(argument):
            raise GradientMismatch(f"{path} has {len(gradient)} items, its argument {len(argument)}")
        for index, item in enumerate(argument):
            check_like(gradient[index], item, f"{path}[{index}]")


def check_own_memory(gradients: Sequence[Any], arguments: Any) -> None:
    """Gradients are writable, and share memory neither with an argument nor with one another."""
    theirs = [leaf for _, leaf in leaves(arguments) if isinstance(leaf, np.ndarray)]
    ours = [(path, leaf) for path, leaf in leaves(gradients) if isinstance(leaf, np.ndarray)]
    for number, (path, array) in enumerate(ours):
        if not array.flags.writeable:
            raise GradientMismatch(f"gradient{path} is read-only")
        if any(np.shares_memory(array, other) for other in theirs):
            raise GradientMismatch(f"gradient{path} shares memory with an argument")
        if any(np.shares_memory(array, other) for _, other in ours[:number]):
            raise GradientMismatch(f"gradient{path} shares memory with another gradient")
        if _overlaps_itself(array):
            raise GradientMismatch(f"gradient{path} has several elements in one place")
    foreign = {id(container) for container in _containers(arguments)}
    seen: set[int] = set()
    for container in _containers(gradients):
        if isinstance(container, tuple):
            continue
        if id(container) in foreign:
            raise GradientMismatch("a container of the gradient is the argument's own")
        if id(container) in seen:
            raise GradientMismatch("two places of the gradient are one container")
        seen.add(id(container))


def _overlaps_itself(array: np.ndarray) -> bool:
    return any(s == 0 and n > 1 for s, n in zip(array.strides, array.shape, strict=True)) and array.size > 1


def _containers(tree: Any) -> Iterator[Any]:
    if isinstance(tree, dict):
        yield tree
        for item in tree.values():
            yield from _containers(item)
    elif isinstance(tree, (list, tuple)):
        yield tree
        for item in tree:
            yield from _containers(item)


def overwrite(tree: Any) -> None:
    """Fill the arrays of a gradient with NaN, and empty its lists and dicts."""
    if isinstance(tree, np.ndarray):
        tree[...] = math.nan
    elif isinstance(tree, (list, tuple, dict)):
        for item in tree.values() if isinstance(tree, dict) else tree:
            overwrite(item)
        if not isinstance(tree, tuple):
            tree.clear()


def fingerprint(tree: Any) -> Any:
    """What must not change: types, structure, and the bytes of numbers and arrays (so NaN equals NaN)."""
    if isinstance(tree, np.ndarray):
        return ("array", tree.dtype.str, tree.shape, tree.strides, tree.tobytes())
    if isinstance(tree, dict):
        return ("dict", tuple((key, fingerprint(item)) for key, item in tree.items()))
    if isinstance(tree, (list, tuple)):
        return (type(tree).__name__, tuple(fingerprint(item) for item in tree))
    if isinstance(tree, collections.deque):
        return ("deque", tuple(fingerprint(item) for item in tree))
    if isinstance(tree, (bool, int, float, np.generic)):
        return (type(tree).__name__, np.asarray(tree).tobytes())
    if _has_state(tree):
        return (type(tree).__name__, fingerprint(vars(tree)))
    return (type(tree).__name__, id(tree))


def _has_state(value: Any) -> bool:
    """Whether it is an object of an ordinary class, whose attributes are data. (Rings are not met.)"""
    code = (type, types.ModuleType, types.FunctionType, types.MethodType, types.BuiltinFunctionType)
    return hasattr(value, "__dict__") and not isinstance(value, code)


def duplicate(tree: Any) -> Any:
    """A copy of arguments all the way down; what is one object stays one, and arrays keep their strides."""
    known: dict[int, Any] = {}
    for array in _arrays(tree):
        known[id(array)] = laid_out_as(array, array.copy())
    return copy.deepcopy(tree, known)


def _arrays(tree: Any) -> Iterator[np.ndarray]:
    if isinstance(tree, np.ndarray):
        yield tree
    elif isinstance(tree, (list, tuple, dict, collections.deque)):
        for item in tree.values() if isinstance(tree, dict) else tree:
            yield from _arrays(item)
    elif _has_state(tree):
        yield from _arrays(vars(tree))


def laid_out_as(model: np.ndarray, values: np.ndarray) -> np.ndarray:
    """`values` in new memory with the strides of `model`, counted in elements; shapes are equal.

    An array that has several elements in one place, or none, has no such copy: `values` as they are.
    """
    if values.size == 0 or _overlaps_itself(model):
        return values
    low, high = np.lib.array_utils.byte_bounds(model)
    start = (model.__array_interface__["data"][0] - low) // model.itemsize
    memory = np.zeros((high - low) // model.itemsize, values.dtype)
    strides = [s // model.itemsize * values.itemsize for s in model.strides]
    laid_out = np.lib.stride_tricks.as_strided(memory[start:], model.shape, strides)
    laid_out[...] = values
    return laid_out


def leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The values at the ends of nested lists, tuples and dicts, each with its path."""
    if isinstance(tree, dict):
        for key, item in tree.items():
            yield from leaves(item, f"{path}[{key!r}]")
    elif isinstance(tree, (list, tuple)):
        for index, item in enumerate(tree):
            yield from leaves(item, f"{path}[{index}]")
    else:
        yield path, tree


def _is_real(leaf: Any) -> bool:
    """Whether a leaf has a derivative: a float or an array of floats."""
    return isinstance(leaf, (float, np.floating)) or (isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f")


def _holds_float32(tree: Any) -> bool:
    return any(_is_real(leaf) and np.asarray(leaf).dtype == np.float32 for _, leaf in leaves(tree))


# -- which arguments ------------------------------------------------------------------------------


def _places(
    program: Callable[..., Any], wrt: Wrt, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> list[int | str]:
    """Where each selected argument is in the call: an index into `args`, or a name in `kwargs`."""
    names = list(inspect.signature(program).parameters)
    places: list[int | str] = []
    for selector in wrt if isinstance(wrt, tuple) else (wrt,):
        name = names[selector] if isinstance(selector, int) else selector
        places.append(name if name in kwargs else names.index(name))
    return places


def _selected(place: int | str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    return kwargs[place] if isinstance(place, str) else args[place]


def _as_tuple(gradient: Any, wrt: Wrt) -> tuple[Any, ...]:
    if not isinstance(wrt, tuple):
        return (gradient,)
    if not isinstance(gradient, tuple) or len(gradient) != len(wrt):
        raise GradientMismatch(f"wrt={wrt!r} gives {gradient!r}, not a tuple of {len(wrt)} gradients")
    return gradient


# -- oracles --------------------------------------------------------------------------------------

Direction = list[np.ndarray]
_Oracle = Callable[[Direction], tuple[float, float]]


class _Line:
    """The program along a line: `line(t, v)` is its value at the selected arguments plus `t * v`."""

    def __init__(
        self,
        program: Callable[..., Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        places: Sequence[int | str],
        on_copies: bool = False,
    ) -> None:
        self.program, self.args, self.kwargs = program, args, kwargs
        self.places, self.on_copies = places, on_copies

    def __call__(self, t: float | complex, direction: Direction) -> Any:
        given, named = duplicate((self.args, self.kwargs)) if self.on_copies else (self.args, self.kwargs)
        args, kwargs = list(given), dict(named)
        parts = iter(direction)
        for place in self.places:
            moved = _moved(_selected(place, args, kwargs), t, parts)
            if isinstance(place, str):
                kwargs[place] = moved
            else:
                args[place] = moved
        with warnings.catch_warnings():
            # A cast that drops an imaginary part would make the complex step silently zero.
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            return self.program(*args, **kwargs)


def _moved(tree: Any, t: float | complex, direction: Iterator[np.ndarray]) -> Any:
    """`tree + t * direction`, floats lifted to 64 bits (complex if `t` is); other leaves as they are."""
    if isinstance(tree, dict):
        return {key: _moved(item, t, direction) for key, item in tree.items()}
    if isinstance(tree, (list, tuple)):
        items = [_moved(item, t, direction) for item in tree]
        if isinstance(tree, list):
            return items
        return type(tree)(*items) if hasattr(tree, "_fields") else tuple(items)
    part = next(direction)
    if not _is_real(tree):
        return tree
    if isinstance(tree, np.ndarray):
        return laid_out_as(tree, np.asarray(tree.astype(type(t)) + t * part))
    # A NumPy complex compares by its real part; a Python complex does not compare at all.
    moved = (np.complex128 if isinstance(t, complex) else np.float64)(tree) + t * part[()]
    return float(moved) if type(tree) is float and not isinstance(t, complex) else moved


def central_difference(line: Callable[[float], Any], step: float) -> tuple[float, float]:
    """The derivative of `line` at 0 and an estimate of its error.

    Four central differences at halved steps, extrapolated (Richardson 1911; Ridders 1982).
    """
    table: list[list[float]] = []
    for level in range(4):
        h = step / 2**level
        row = [float(line(h) - line(-h)) / (2.0 * h)]
        for order in range(1, level + 1):
            row.append(row[-1] + (row[-1] - table[-1][order - 1]) / (4.0**order - 1.0))
        table.append(row)
    return table[3][3], abs(table[3][3] - table[2][2])


def one_sided_difference(line: Callable[[float], Any], step: float) -> tuple[float, float]:
    """The derivative of `line` at 0 from the right, and an estimate of its error.

    Weights of order 6 on the points 0..6 (Fornberg 1988, table 3), at two steps, extrapolated once.
    """
    weights = (-49 / 20, 6.0, -15 / 2, 20 / 3, -15 / 4, 6 / 5, -1 / 6)

    def difference(h: float) -> float:
        return sum(weight * float(line(k * h)) for k, weight in enumerate(weights)) / h

    coarse, fine = difference(step), difference(step / 2.0)
    return fine + (fine - coarse) / 63.0, abs(fine - coarse)


def complex_step(line: Callable[[complex], Any]) -> float:
    """The derivative of `line` at 0 (Squire & Trapp 1998): no subtraction, so exact to rounding."""
    return float(np.imag(line(complex(0.0, COMPLEX_STEP)))) / COMPLEX_STEP


def _compare(
    gradient: list[np.ndarray],
    selected: Sequence[Any],
    oracles: Sequence[_Oracle],
    tolerance: float,
    size_of_value: float,
    skip_unsure: bool,
) -> None:
    """Compare the gradient with each oracle along random directions."""
    arguments = [leaf for _, leaf in leaves(selected)]
    for g, x in zip(gradient, arguments, strict=True):
        if not _is_real(x) and np.any(g):
            raise GradientMismatch(f"the gradient of {x!r}, which has none, is {g!r}")
    if not any(_is_real(x) and np.size(x) for x in arguments):
        return
    rng = np.random.default_rng(20170)
    for _ in range(DIRECTIONS):
        direction = [_random_direction(leaf, rng) for leaf in arguments]
        finite = True
        for oracle in oracles:
            finite &= _agree(gradient, direction, oracle, tolerance, size_of_value, skip_unsure)
        if not finite:
            _compare_each(gradient, arguments, oracles, tolerance, size_of_value, skip_unsure)
            return


def _compare_each(
    gradient: list[np.ndarray],
    arguments: Sequence[Any],
    oracles: Sequence[_Oracle],
    tolerance: float,
    size_of_value: float,
    skip_unsure: bool,
) -> None:
    """Element by element, where the derivative is infinite in some of them: the others must be right."""
    checked = False
    for number, leaf in enumerate(arguments):
        for index in np.ndindex(np.shape(leaf)):
            direction = [np.zeros(np.shape(other)) for other in arguments]
            direction[number][index] = 1.0
            own = [np.zeros(np.shape(other)) for other in arguments]
            own[number][index] = gradient[number][index]
            for oracle in oracles:
                checked |= _agree(own, direction, oracle, tolerance, size_of_value, skip_unsure)
    if not checked:
        raise GradientMismatch("no oracle is finite anywhere: nothing was checked")


def _agree(
    gradient: list[np.ndarray],
    direction: Direction,
    oracle: _Oracle,
    tolerance: float,
    size_of_value: float,
    skip_unsure: bool,
) -> bool:
    """Whether the oracle is finite; raises GradientMismatch if it is and the gradient differs."""
    with np.errstate(all="ignore"):
        expected, error = oracle(direction)
    if not math.isfinite(expected):
        return False
    terms = [g.astype(float) * v for g, v in zip(gradient, direction, strict=True)]
    found = sum(float(term.sum()) for term in terms)
    size = sum(float(abs(term).sum()) for term in terms)
    if size == math.inf and error > tolerance * abs(expected):
        return False  # differences do not converge to an infinite derivative, they grow
    if not math.isfinite(size):
        raise GradientMismatch(f"the gradient is not finite, the derivative is {expected}")
    # The allowance belongs to differences; `size` keeps cancelling terms from looking like an error.
    allowed = tolerance * max(size, abs(expected)) + NOISE * max(size_of_value, 1e-2)
    if error > max(allowed, tolerance * size_of_value):
        if skip_unsure:
            return True
        raise UnsureOracle(f"the finite differences are {expected} +- {error}: is there a kink near?")
    if abs(found - expected) > allowed + error:
        raise GradientMismatch(
            f"along a random direction the gradient gives {found!r}, the oracle {expected!r}"
            f" (difference {abs(found - expected):.3g}, allowed {allowed + error:.3g})"
        )
    return True


def _random_direction(leaf: Any, rng: np.random.Generator) -> np.ndarray:
    """No component near zero, so that no element goes unseen; as large as the element, so that a
    step is small beside it."""
    shape = np.shape(leaf)
    if not _is_real(leaf):
        return np.zeros(shape)
    signs = rng.choice([-1.0, 1.0], size=shape)
    return np.asarray(signs * rng.uniform(0.5, 1.5, size=shape) * np.maximum(np.abs(np.asarray(leaf)), 0.1))
