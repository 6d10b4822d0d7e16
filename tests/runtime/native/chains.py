"""Random chains: their text, the function, and what NumPy makes of the same text."""

from __future__ import annotations

import itertools
import linecache
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType, SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import strategies as st

import myia.runtime as rt
from myia import _runtime
from tests.runtime.native.arrays import Made, broadcasting, made

UNARY = ["negative", "absolute", "square", "sqrt", "exp", "log", "sin", "tanh", "reciprocal", "arctan"]
BINARY = ["add", "subtract", "multiply", "divide", "maximum", "minimum", "fmax", "fmin", "hypot", "power"]
ADJOINTS = {
    "times": 2, "quotient": 2, "tanh_adjoint": 2,
    "maximum_adjoint": 3, "minimum_adjoint": 3, "fmax_adjoint": 3, "fmin_adjoint": 3,
}  # fmt: skip
INTO = {"add_into": 1, "subtract_into": 1, "multiply_add": 2, "multiply_subtract": 2} | {
    f"{name}_into": count for name, count in ADJOINTS.items()
}
OPERANDS = dict.fromkeys(UNARY, 1) | dict.fromkeys(BINARY, 2) | ADJOINTS

# -- what the operations are, in NumPy's terms (runtime/thnn/rules.hpp) ------------------------------------------


def _unless_zero(g: Any, value: Any) -> Any:
    return np.where(np.equal(g, 0), np.zeros((), np.asarray(value).dtype), value)


def _times(g: Any, f: Any) -> Any:
    return _unless_zero(g, np.multiply(g, f))


def _quotient(g: Any, x: Any) -> Any:
    return _unless_zero(g, np.divide(g, x))


def _tanh_adjoint(g: Any, y: Any) -> Any:
    return _times(g, np.subtract(1, np.multiply(y, y)))


def _half(g: Any) -> Any:
    return np.multiply(g, 0.5)


def _share(g: Any, wins: Any, x: Any, other: Any) -> Any:
    zero = np.multiply(g, 0)
    decided = np.where(np.equal(x, other), _half(g), np.where(wins, g, np.zeros_like(zero)))
    return np.where((np.isnan(x) | np.isnan(other)) & np.not_equal(g, 0), np.add(x, other), decided)


def _share_of_numbers(g: Any, wins: Any, x: Any, other: Any) -> Any:
    tied = np.equal(x, other) | (np.isnan(x) & np.isnan(other))
    alone = np.isnan(other) & ~np.isnan(x)
    return np.where(tied, _half(g), np.where(wins | alone, g, np.zeros_like(np.multiply(g, 0))))


def _of_one_dtype(function: Callable[..., Any]) -> Callable[..., Any]:
    """With Python's numbers as elements of the arrays' dtype, which they become in a kernel."""

    def called(*operands: Any) -> Any:
        dtype = next((x.dtype for x in operands if isinstance(x, (np.ndarray, np.generic))), np.dtype("f8"))
        return function(*(dtype.type(x) if type(x) in (int, float) else x for x in operands))

    return called


_TABLE: dict[str, Callable[..., Any]] = {
    **{name: getattr(np, name) for name in UNARY + BINARY},
    "sum": np.sum,
    "times": _of_one_dtype(_times),
    "quotient": _of_one_dtype(_quotient),
    "tanh_adjoint": _of_one_dtype(_tanh_adjoint),
    "maximum_adjoint": _of_one_dtype(lambda g, x, o: _share(g, np.greater(x, o), x, o)),
    "minimum_adjoint": _of_one_dtype(lambda g, x, o: _share(g, np.less(x, o), x, o)),
    "fmax_adjoint": _of_one_dtype(lambda g, x, o: _share_of_numbers(g, np.greater(x, o), x, o)),
    "fmin_adjoint": _of_one_dtype(lambda g, x, o: _share_of_numbers(g, np.less(x, o), x, o)),
}


def _into(contribution: Callable[..., Any], sign: int) -> Callable[..., Any]:
    def into(out: Any, *operands: Any) -> None:
        (np.add if sign > 0 else np.subtract)(out, contribution(*operands), out=out)

    return into


_TABLE |= {f"{name}_into": _into(_TABLE[name], 1) for name in ADJOINTS}
_TABLE["add_into"], _TABLE["subtract_into"] = _into(lambda a: a, 1), _into(lambda a: a, -1)
_TABLE["multiply_add"], _TABLE["multiply_subtract"] = _into(np.multiply, 1), _into(np.multiply, -1)
NUMPY = SimpleNamespace(**_TABLE)

# -- from text to functions ----------------------------------------------------------------------------------------

_numbers = itertools.count()


def compiled(text: str) -> Any:
    """The function `chain` of a text, which starts with its decorator."""
    name = f"<chain {next(_numbers)}>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    namespace: dict[str, Any] = {"rt": rt, "__name__": "chains"}
    exec(compile(text, name, "exec"), namespace)  # noqa: S102
    return namespace["chain"]


def fused(parameters: str, *lines: str) -> Any:
    """A chain of these lines."""
    body = "".join(f"    {line}\n" for line in lines)
    made = compiled(f"@rt.fused\ndef chain({parameters}):\n{body}")
    assert type(made) is _runtime.Chain, "not read"
    return made


def on_numpy(chain: Any) -> Callable[..., Any]:
    """The plain function, its operations NumPy's."""
    function = chain.__wrapped__
    return FunctionType(function.__code__, {"rt": NUMPY})


@dataclass(frozen=True)
class Random:
    """A chain and what it is called with."""

    text: str
    operands: tuple[Any, ...]
    """How to make arrays; numbers as they are."""

    def __repr__(self) -> str:
        return f"{self.text}\n# {self.operands}"

    def arguments(self, make: Callable[[Made], Any]) -> list[Any]:
        return [make(x) if isinstance(x, Made) else x for x in self.operands]

    @property
    def numpy_agrees(self) -> bool:
        """Whether the order in which NumPy walks, and how it is told of a single element, makes no difference."""
        if any(f".{name}(" in self.text for name in ("fmax", "fmin", "power")):
            return False
        # The adjoints of this module are several operations, of which each may lie otherwise.
        plain = all(x.numpy().flags.c_contiguous for x in self.operands if isinstance(x, Made))
        return plain or not any(f".{name}" in self.text for name in ADJOINTS)


SCALARS = st.sampled_from([0.5, 2.0, -1.5, 0.0, -0.0, 1e30, 2, -3, 0])


@st.composite
def chains(
    draw: st.DrawFn,
    dtype: Any,
    most: int = 24,
    sums: bool = False,
    into: bool = False,
    plain: bool = False,
) -> Random:
    """`plain`: arrays of one shape."""
    shape = draw(
        st.sampled_from(
            [(5,), (1,), (40,), (200,), (3, 4), (13, 30), (2, 3, 4), (7, 1, 9), (0,), (4, 0), (2500,)]
        )
    )
    operands: list[Any] = [draw(made(dtypes=[dtype], shape=shape, writable=plain))]
    for _ in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from(["same", "same", "broadcast", "number", "numpy"]))
        if kind == "number":
            operands.append(draw(SCALARS))
        elif kind == "numpy":
            operands.append(dtype.type(draw(st.sampled_from([0.25, -2.0, np.inf]))))
        else:
            own = shape if kind == "same" or plain else draw(broadcasting(shape))
            operands.append(draw(made(dtypes=[dtype], shape=own)))
    names = [f"x{k}" for k in range(len(operands))]
    targets: list[str] = []
    if into:
        for _ in range(draw(st.integers(1, 2))):
            targets.append(f"d{len(targets)}")
            operands.append(draw(made(dtypes=[dtype], shape=shape, writable=True)))
    lines: list[str] = []
    values: list[str] = []

    def operand() -> str:
        which = draw(st.integers(0, 9))
        if which == 9:
            return repr(draw(SCALARS))
        if values and which >= 4:
            return values[draw(st.integers(max(0, len(values) - 4), len(values) - 1))]
        if targets and which == 3:
            return draw(st.sampled_from(targets))
        return names[draw(st.integers(0, len(names) - 1))]

    for number in range(draw(st.integers(1, most))):
        if targets and draw(st.integers(0, 3)) == 0:
            name = draw(st.sampled_from(sorted(INTO)))
            arguments = ", ".join(operand() for _ in range(INTO[name]))
            lines.append(f"rt.{name}({draw(st.sampled_from(targets))}, {arguments})")
            continue
        name = draw(st.sampled_from(sorted(OPERANDS)))
        # The first operand is an array, so that few chains are left to the plain function.
        first = (
            operand() if draw(st.integers(0, 15)) == 0 else draw(st.sampled_from([names[0], *values[-3:]]))
        )
        arguments = ", ".join([first, *(operand() for _ in range(OPERANDS[name] - 1))])
        values.append(f"v{number}")
        lines.append(f"v{number} = rt.{name}({arguments})")
    results = sorted(draw(st.sets(st.sampled_from(values), max_size=4))) if values else []
    if values and not results and not targets:
        results = [values[-1]]
    if sums and values:
        lines.append(f"total = rt.sum({values[-1]})")
        results.insert(draw(st.integers(0, len(results))), "total")
    if len(results) == 1 and draw(st.booleans()):
        lines.append(f"return {results[0]}")
    elif results:
        lines.append(f"return ({', '.join(results)},)")
    body = "".join(f"    {line}\n" for line in lines)
    return Random(f"@rt.fused\ndef chain({', '.join([*names, *targets])}):\n{body}", tuple(operands))
