"""Whole programs on drawn arguments, and drawn programs.

The first half draws shapes (0-d to 4-d, sizes 0 and 1 among them), dtypes, memory layouts and values
for fixed programs. The second half draws the programs: assignments, branches, loops, breaks, returns,
written to a file so that their source is to be had, and printed when they fail.
"""

from __future__ import annotations

import itertools
import math
import os
import tempfile
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, note, settings
from hypothesis import strategies as st

from tests.check import check_gradient

FUZZ = int(os.environ.get("MYIA_FUZZ", "0"))
ARRAYS = settings(max_examples=FUZZ or 25)
GENERATED = settings(max_examples=FUZZ or 300)

# -- drawn arguments ----------------------------------------------------------------------------

LAYOUTS = ("contiguous", "fortran", "transposed", "sliced", "reversed", "broadcast", "read-only")


def shapes(min_dims: int = 0, max_dims: int = 4, min_side: int = 0) -> st.SearchStrategy[tuple[int, ...]]:
    side = st.integers(min_side, 3)
    return st.lists(side, min_size=min_dims, max_size=max_dims).map(tuple)


@st.composite
def arrays(draw: st.DrawFn, shape: Any, positive: bool = False) -> np.ndarray:
    """Distinct values clear of 0, of a drawn dtype, laid out in memory in a drawn way."""
    shape = draw(shape) if isinstance(shape, st.SearchStrategy) else shape
    dtype = draw(st.sampled_from([np.float64, np.float32]))
    layout = draw(st.sampled_from(LAYOUTS))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    return laid_out(shape, dtype, layout, rng, positive)


def laid_out(
    shape: tuple[int, ...], dtype: Any, layout: str, rng: np.random.Generator, positive: bool = False
) -> np.ndarray:
    if layout == "broadcast" and shape:
        base = laid_out((1, *shape[1:]), dtype, "contiguous", rng, positive)
        return np.broadcast_to(base, shape)
    size = math.prod(shape)
    # A shuffled grid keeps values apart, the shift and the jitter keep them off any round number.
    values = 0.2 + (rng.permutation(size) + rng.uniform(0.1, 0.5, size)) / max(size, 1)
    if not positive:
        values = values * rng.choice([-1.0, 1.0], size)
    x = values.reshape(shape).astype(dtype)
    if layout == "fortran":
        return np.asfortranarray(x)
    if layout == "transposed":
        return np.ascontiguousarray(x.T).T
    if layout == "sliced" and shape:
        wide = np.full((*shape[:-1], 2 * shape[-1]), np.nan, dtype)
        wide[..., ::2] = x
        return wide[..., ::2]
    if layout == "reversed" and shape:
        return np.ascontiguousarray(x[::-1])[::-1]
    if layout == "read-only":
        x.flags.writeable = False
    return x


def holds_one_value_twice(x: np.ndarray) -> bool:
    """A broadcast array ties at its maximum, which is a kink."""
    return np.unique(x).size < x.size


def elementwise(x):
    return np.sum(np.tanh(x) * np.sin(x) + np.exp(-x * x) / (1.0 + x**2) - x)


def elementwise_positive(x):
    return (np.log(x) * np.sqrt(x) + x**-1.5).sum()


def elementwise_kinks(x):
    return np.sum(np.maximum(x, 0.1) * np.abs(x) + np.where(x > 0.0, x * x, -x))


def sums(x, axis, keepdims):
    y = x.sum(axis=axis, keepdims=keepdims)
    return (y * y + np.sin(y)).sum()


def means(x, axis, keepdims):
    y = np.mean(x, axis=axis, keepdims=keepdims)
    return (y * y * x.mean()).sum()


def products(x, axis, keepdims):
    return (np.prod(x, axis=axis, keepdims=keepdims) ** 2).sum()


def extremes(x, axis, keepdims):
    y = np.max(x, axis=axis, keepdims=keepdims)
    return (y * y).sum() + x.min(axis=axis, keepdims=keepdims).sum() * np.max(x)


def variances(x, axis, keepdims):
    return np.var(x, axis=axis, keepdims=keepdims).sum() + x.var() * 2.0


def standardised(x, axis, keepdims):
    centred = x - x.mean(axis=axis, keepdims=True)
    return (centred**3).sum() + (np.cumsum(x, axis=axis) ** 2).sum()


def pairs(x, y):
    return np.sum(x * y + x / (2.0 + y * y) - (x - y) ** 2)


def pairs_chosen(x, y):
    return np.where(x > y, x * x, y).sum() + np.minimum(x, y).sum() + (x**2 * y).sum()


def pairs_in_loop(x, y):
    z = x * 0.5
    for k in range(3):
        if k == 1:
            z = z + y
        else:
            z = np.tanh(z * y)
    return z.sum()


def scalar_with_array(s, x):
    return (s * x + x / s).sum() * s + (x - s).sum() ** 2


def first_axis(x):
    y = x[::-1] * x
    return (y[1:] ** 2).sum() + x[:1].sum() + (x[:, None] * 2.0).sum() + x[..., None].sum()


def gathered(x, index):
    y = x[index]
    return (y * y * 0.5).sum() + x[index[:1]].sum()


def masked(x):
    return (x[x > 0.0] ** 2).sum() + x[x < -100.0].sum()


def rows(x):
    y = 0.0
    for row in x:
        y = y * 0.5 + (row * row).sum()
    return y


def moved(x):
    return (
        (x.T * np.arange(float(x.size)).reshape(x.T.shape)).sum()
        + (x.reshape(-1) ** 2).sum()
        + x.ravel().sum()
    )


def joined(x):
    y = np.concatenate([x, x * 2.0], axis=0)
    return (y * y).sum() + np.stack([x, x * x], axis=-1).sum() + (np.flip(x) * x).sum() + np.roll(x, 1).sum()


def multiplied(a, b):
    y = a @ b
    return (y * y).sum()


def searched(x):
    total = 0.0
    for k in range(6):
        total = total + (x * x).sum() * 0.5 + k
        if total > 4.0:
            break
        x = x * 1.3
    return total


AXES = {
    "sums": sums,
    "standardised": standardised,
    "variances": variances,
    "means": means,
    "extremes": extremes,
}


@ARRAYS
@given(x=arrays(shapes()))
@pytest.mark.parametrize("program", [elementwise, searched, masked], ids=lambda f: f.__name__)
def test_elementwise(program, x):
    check_gradient(program, (x,), skip_unsure=program is searched)


@ARRAYS
@given(x=arrays(shapes(), positive=True))
def test_elementwise_positive(x):
    check_gradient(elementwise_positive, (x,))


@ARRAYS
@given(x=arrays(shapes()))
def test_elementwise_kinks(x):
    check_gradient(elementwise_kinks, (x,), analytic=False)


@ARRAYS
@given(data=st.data())
@pytest.mark.parametrize("program", [sums, products], ids=lambda f: f.__name__)
def test_reductions_of_any_size(program, data):
    x = data.draw(arrays(shapes()))
    check_gradient(program, (x, data.draw(axes(x.ndim)), data.draw(st.booleans())))


@ARRAYS
@given(data=st.data())
@pytest.mark.parametrize("program", [means, extremes, variances], ids=lambda f: f.__name__)
def test_reductions_of_something(program, data):
    x = data.draw(arrays(shapes(min_side=1)))
    assume(program is not extremes or not holds_one_value_twice(x))
    analytic = program is not variances
    check_gradient(program, (x, data.draw(axes(x.ndim)), data.draw(st.booleans())), analytic=analytic)


@ARRAYS
@given(data=st.data())
def test_reductions_of_one_axis(data):
    x = data.draw(arrays(shapes(min_dims=1, min_side=1)))
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    check_gradient(standardised, (x, axis, True))


def axes(ndim: int) -> st.SearchStrategy[Any]:
    """None, one axis, or several, negative ones too."""
    if ndim == 0:
        return st.just(None)
    one = st.integers(-ndim, ndim - 1)
    several = st.lists(st.integers(0, ndim - 1), unique=True, max_size=ndim).map(tuple)
    return st.one_of(st.none(), one, several)


@ARRAYS
@given(data=st.data())
@pytest.mark.parametrize("program", [pairs, pairs_chosen, pairs_in_loop], ids=lambda f: f.__name__)
def test_broadcasting_pairs(program, data):
    shape = data.draw(shapes())
    x = data.draw(arrays(shape))
    y = data.draw(arrays(st.just(broadcastable(shape, data))))
    if data.draw(st.booleans()):
        x, y = y, x
    if program is pairs_chosen:
        gaps = np.subtract(x, y, dtype=float)
        assume(not gaps.size or np.abs(gaps).min() > 0.02)
    check_gradient(program, (x, y), (0, 1))


def broadcastable(shape: tuple[int, ...], data: Any) -> tuple[int, ...]:
    """A shape that broadcasts to `shape`: leading axes left out, some sizes 1."""
    kept = shape[data.draw(st.integers(0, len(shape))) :]
    return tuple(1 if data.draw(st.booleans()) else size for size in kept)


@ARRAYS
@given(
    x=arrays(shapes()), s=st.floats(0.5, 2.0), kind=st.sampled_from([float, np.float64, np.float32, np.array])
)
def test_scalar_with_array(x, s, kind):
    check_gradient(scalar_with_array, (kind(s), x), (0, 1))


@ARRAYS
@given(x=arrays(shapes(min_dims=1)))
@pytest.mark.parametrize("program", [first_axis, rows, joined], ids=lambda f: f.__name__)
def test_axes(program, x):
    check_gradient(program, (x,))


@ARRAYS
@given(x=arrays(shapes()))
def test_moved_axes(x):
    check_gradient(moved, (x,))


@ARRAYS
@given(data=st.data())
def test_gathered(data):
    x = data.draw(arrays(shapes(min_dims=1, min_side=1)))
    index = data.draw(st.lists(st.integers(-len(x), len(x) - 1), max_size=5))
    check_gradient(gathered, (x, np.array(index, dtype=int)))


@ARRAYS
@given(data=st.data())
def test_multiplied(data):
    side = st.integers(0, 3)
    n, k, m = data.draw(side), data.draw(side), data.draw(side)
    left = data.draw(st.sampled_from([(k,), (n, k), (2, n, k), (1, n, k)]))
    right = data.draw(st.sampled_from([(k,), (k, m), (2, k, m)]))
    a, b = data.draw(arrays(left)), data.draw(arrays(right))
    check_gradient(multiplied, (a, b), (0, 1))


def tree_total(tree):
    if isinstance(tree, dict):
        return sum([tree_total(branch) * (k + 1) for k, branch in enumerate(tree.values())])
    if isinstance(tree, (list, tuple)):
        y = 0.3
        for branch in tree:
            y = y * 0.5 + tree_total(branch)
        return y
    if isinstance(tree, np.ndarray):
        return (tree * tree).sum()
    return tree * tree * 0.5


NUMBERS = st.floats(-2.0, 2.0).map(lambda x: x + 0.0)
LEAVES = st.one_of(NUMBERS, NUMBERS.map(np.float64), NUMBERS.map(np.float32), arrays(shapes(max_dims=2)))
TREES = st.recursive(
    LEAVES,
    lambda branches: st.one_of(
        st.lists(branches, max_size=3),
        st.lists(branches, max_size=3).map(tuple),
        st.dictionaries(st.sampled_from("abc"), branches, max_size=3),
    ),
    max_leaves=6,
)


@ARRAYS
@given(tree=TREES, other=TREES)
def test_containers(tree, other):
    check_gradient(two_trees, (tree, other), (1, 0))


def two_trees(tree, other):
    return tree_total(tree) * 2.0 + tree_total(other) + tree_total([tree, (other, tree)])


# -- drawn programs -----------------------------------------------------------------------------

SCALARS = ("a", "b", "c")
VECTORS = ("u", "w")

HEADER = """
import math
import numpy as np


def helper(p, q):
    if p > q:
        return p * 0.5 + q
    r = p * q
    for k in range(2):
        r = r * 0.7 + p
        if r > 1.0:
            return r - q
    return r


def pair(p, q=0.5, *, scale=1.0):
    return p * scale - q, {"product": p * q, "all": [p, q]}

"""


class Drawn:
    """Draws the text of a function of `x`, `y` (floats), `v` (a vector of 3) and `n` (an integer)."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self.draw = draw
        self.lines: list[str] = []
        self.counters = itertools.count()
        self.loops: list[str] = []
        self.statements_left = 14

    def pick(self, *options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def number(self) -> str:
        """Never an integer: squared again and again in a loop, it would grow to millions of digits."""
        return self.pick("0.3", "-0.7", "1.2", "2.0", "0.5", "-1.0")

    # Expressions keep values near 1: sums are damped, functions bounded, divisors at least 1.

    def scalar(self, depth: int = 2) -> str:
        form = self.draw(st.integers(0, 15)) if depth > 0 else self.draw(st.integers(0, 3))
        inner = lambda: self.scalar(depth - 1)  # noqa: E731
        match form:
            case 0 | 1:
                return self.pick(*SCALARS)
            case 2:
                return self.pick("x", "y", "2 * x", *[f"0.5 * {k}" for k in self.loops], *SCALARS)
            case 3:
                return self.number()
            case 4 | 5:
                return f"({inner()} {self.pick('+', '-', '*')} {inner()})"
            case 6:
                divisor = inner()
                return f"{inner()} / (1.5 + {divisor} * {divisor})"
            case 7:
                return f"{self.pick('np', 'math')}.{self.pick('sin', 'cos', 'tanh')}({inner()})"
            case 8:
                return f"({inner()}) ** {self.pick('2', '3')} * 0.1"
            case 9:
                return f"({inner()} if {self.condition()} else {inner()})"
            case 10:
                return f"helper({inner()}, {inner()})"
            case 11:
                return self.pick(
                    f"{self.pick(*VECTORS)}[{self.pick('0', '1', '-1', 'n % 3')}]",
                    f"{self.pick(*VECTORS)}.sum() * 0.3",
                    f"np.mean({self.vector(0)})",
                    f"{self.vector(0)} @ {self.vector(0)} * 0.3",
                )
            case 12:
                return f"sum([{inner()} * k for k in range({self.pick('0', '2', 'n')}) if k != 1])"
            case 13:
                return f"{self.pick('max', 'min')}({inner()}, {inner()})"
            case 14:
                return (
                    f"pair({inner()}, scale={inner()})[1][{self.pick(repr('product'), repr('all') + '][0')}]"
                )
            case _:
                return f"-{inner()}"

    def vector(self, depth: int = 1) -> str:
        form = self.draw(st.integers(0, 7)) if depth > 0 else 0
        match form:
            case 0 | 1:
                return self.pick("v", *VECTORS)
            case 2 | 3:
                return f"({self.vector(depth - 1)} {self.pick('+', '-', '*')} {self.vector(depth - 1)})"
            case 4:
                return f"({self.vector(depth - 1)} * {self.scalar(1)})"
            case 5:
                return f"np.{self.pick('sin', 'tanh', 'cos')}({self.vector(depth - 1)})"
            case 6:
                return f"{self.vector(0)}[::-1]"
            case _:
                return f"np.where({self.vector(0)} > 0.1, {self.vector(0)}, {self.scalar(1)})"

    def condition(self, depth: int = 1) -> str:
        form = self.draw(st.integers(0, 5)) if depth > 0 else self.draw(st.integers(0, 2))
        match form:
            case 0 | 1:
                return f"{self.scalar(0)} {self.pick('<', '>', '<=')} {self.scalar(0)}"
            case 2:
                return self.pick("n > 1", "n % 2 == 0", "n", *[f"{k} == 1" for k in self.loops])
            case 3:
                return f"{self.condition(0)} {self.pick('and', 'or')} {self.condition(0)}"
            case 4:
                return f"not {self.condition(0)}"
            case _:
                return f"{self.scalar(0)} < {self.scalar(0)} < {self.scalar(0)}"

    def emit(self, indent: int, text: str) -> None:
        self.lines.append("    " * indent + text)

    def block(self, indent: int, in_loop: bool) -> None:
        for _ in range(self.draw(st.integers(1, 3))):
            self.statement(indent, in_loop)

    def statement(self, indent: int, in_loop: bool) -> None:
        self.statements_left -= 1
        nested = indent < 4 and self.statements_left > 0
        form = self.draw(st.integers(0, 17 if nested else 8))
        match form:
            case 0 | 1 | 2:
                self.emit(indent, f"{self.pick(*SCALARS)} = {self.scalar()}")
            case 3:
                self.emit(indent, f"{self.pick(*VECTORS)} = {self.vector(2)}")
            case 4:
                self.emit(indent, f"{self.pick(*SCALARS)} {self.pick('+=', '-=', '*=')} {self.scalar(1)}")
            case 5:
                first, second = self.draw(st.permutations(SCALARS))[:2]
                self.emit(indent, f"{first}, {second} = {second}, {self.scalar(1)}")
            case 6:
                self.emit(indent, f"items = [{self.scalar(1)}, {self.scalar(1)}, {self.scalar(0)}]")
                self.emit(indent, f"{self.pick(*SCALARS)}, *rest = items")
                self.emit(indent, f"{self.pick(*SCALARS)} = sum(rest) * 0.5 + items[{self.pick('0', '-1')}]")
            case 7 if in_loop:
                self.emit(indent, f"if {self.condition()}:")
                self.emit(indent + 1, f"{self.pick(*SCALARS)} = {self.scalar(1)}")
                self.emit(indent + 1, self.pick("break", "continue"))
            case 8 if self.draw(st.booleans()):
                self.emit(indent, f"if {self.condition()}:")
                self.emit(indent + 1, f"return {self.scalar(1)} + {self.vector(0)}.sum()")
            case 7 | 8:
                self.emit(indent, f"{self.pick(*SCALARS)}, info = pair({self.scalar(1)}, q={self.scalar(0)})")
                self.emit(indent, f"{self.pick(*SCALARS)} = info['all'][1] + info['product']")
            case 9 | 10 | 11:
                self.emit(indent, f"if {self.condition()}:")
                self.block(indent + 1, in_loop)
                if self.draw(st.booleans()):
                    self.emit(indent, f"elif {self.condition()}:")
                    self.block(indent + 1, in_loop)
                if self.draw(st.booleans()):
                    self.emit(indent, "else:")
                    self.block(indent + 1, in_loop)
            case 12 | 13:
                self.for_range(indent, in_loop)
            case 14 | 15:
                self.for_values(indent, in_loop)
            case 16:
                self.nested_function(indent)
            case _:
                self.while_loop(indent, in_loop)

    def for_range(self, indent: int, in_loop: bool) -> None:
        k = f"k{next(self.counters)}"
        bounds = self.pick("3", "n", "0", "1, 4", "4, 0, -2", "n, 0, -1", "2, 2")
        self.emit(indent, f"for {k} in range({bounds}):")
        self.loops.append(k)
        self.block(indent + 1, True)
        self.loops.pop()
        self.orelse(indent, in_loop)

    def for_values(self, indent: int, in_loop: bool) -> None:
        target = self.pick(*SCALARS)
        k = f"k{next(self.counters)}"
        header = self.pick(
            f"for {target} in v:",
            f"for {target} in {self.vector(0)} * 0.5:",
            f"for {target} in [x, {self.scalar(1)}, y]:",
            f"for {k}, {target} in enumerate(v[:2], start=1):",
            f"for {target}, t in zip(v, [x, {self.scalar(0)}]):",
            f"for {target} in reversed([{self.scalar(0)}, x]):",
            f"for {target}, (t, {k}) in [(x, (y, 1)), ({self.scalar(0)}, (x, 2))]:",
        )
        self.emit(indent, header)
        self.block(indent + 1, True)
        self.orelse(indent, in_loop)

    def while_loop(self, indent: int, in_loop: bool) -> None:
        count = f"m{next(self.counters)}"
        self.emit(indent, f"{count} = 0")
        extra = f" and ({self.condition()})" if self.draw(st.booleans()) else ""
        self.emit(indent, f"while {count} < {self.pick('3', 'n', '1')}{extra}:")
        self.emit(indent + 1, f"{count} += 1")
        self.block(indent + 1, True)
        self.orelse(indent, in_loop)

    def orelse(self, indent: int, in_loop: bool) -> None:
        if self.draw(st.integers(0, 3)) == 0:
            self.emit(indent, "else:")
            self.block(indent + 1, in_loop)

    def nested_function(self, indent: int) -> None:
        name = f"inner{next(self.counters)}"
        captured = self.pick(*SCALARS)
        self.emit(indent, f"def {name}(p):")
        self.emit(indent + 1, f"return p * {captured} + {self.number()}")
        self.emit(indent, f"{self.pick(*SCALARS)} = {name}({self.scalar(1)}) * 0.5")

    def program(self) -> str:
        self.emit(0, "def program(x, y, v, n):")
        self.emit(1, "a, b, c = x, y * 0.5, x - y")
        self.emit(1, "u, w = v, v * x")
        for _ in range(self.draw(st.integers(2, 5))):
            self.statement(1, False)
        self.emit(1, f"return a + b * {self.scalar(0)} + 0.5 * c + (u * w).sum()")
        return HEADER + "\n".join(self.lines) + "\n"


@st.composite
def programs(draw: st.DrawFn) -> str:
    return Drawn(draw).program()


FILES = itertools.count()


@pytest.fixture(scope="module")
def folder():
    """Where drawn programs are written: a function's source is read from its file."""
    with tempfile.TemporaryDirectory(prefix="myia-programs-") as name:
        yield Path(name)


def load(text: str, folder: Path) -> types.ModuleType:
    path = folder / f"drawn_{next(FILES)}.py"
    path.write_text(text, encoding="utf-8")
    module = types.ModuleType(path.stem)
    module.__file__ = str(path)
    exec(compile(text, str(path), "exec"), module.__dict__)  # noqa: S102
    return module


def complex_program(text: str) -> Callable[..., Any]:
    """The same program on complex numbers: `math` functions are NumPy's, which take them."""
    namespace: dict[str, Any] = {}
    text = text.replace("import math\n", "import numpy as math\n")
    exec(compile(text, "<complex>", "exec"), namespace)  # noqa: S102
    return namespace["program"]


@GENERATED
@given(text=programs(), n=st.integers(0, 3), seed=st.integers(0, 1000))
def test_drawn_program(text, n, seed, folder):
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0.3, 1.2, 2).tolist()
    args = (x, y, rng.uniform(-1.0, 1.0, 3), n)
    program = load(text, folder).program
    with np.errstate(all="ignore"):
        try:
            value = program(*args)
        except OverflowError:
            assume(False)
    assume(np.isfinite(value) and abs(value) < 1e6)
    note(f"args = {args!r}\n{text[len(HEADER) :]}")

    check_gradient(
        program, args, (0, 1, 2), complex_program=complex_program(text), skip_unsure=True, tolerance=1e-6
    )
