"""Branches that types decide: `isinstance(x, float)`, `x is None`.

A specialisation knows the types of its arguments, so that one branch of such a test is dead: it is
neither typed nor differentiated, and may hold what would be refused for these types.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

import numpy as np

from myia.parse.program import blocks_of
from myia.parse.types import (
    ANY,
    BOOL,
    BOTTOM,
    NONE,
    REAL,
    UNKNOWN,
    Array,
    Dict,
    Instance,
    Known,
    List,
    NumpyScalar,
    Scalar,
    Tuple,
    Type,
)

TypeOf = Callable[[ast.expr], Type]


def decided(s: ast.If, type_of: TypeOf) -> list[ast.stmt] | None:
    """The branch that types show is taken, such as that of `isinstance(x, float)`."""
    t = type_of(s.test)
    if isinstance(t, Scalar) and t.kind == "bool" and t.value is not UNKNOWN:
        return s.body if t.value else s.orelse
    return None


def reached(block: list[ast.stmt], type_of: TypeOf) -> Iterator[ast.stmt]:
    """The statements of a block without the branches that types show are not taken."""
    for s in block:
        yield s
        branch = decided(s, type_of) if isinstance(s, ast.If) else None
        for inner in blocks_of(s) if branch is None else [branch]:
            yield from reached(inner, type_of)


def negated(t: Type) -> Type:
    return (
        Scalar("bool", not t.value)
        if isinstance(t, Scalar) and t.kind == "bool" and t.value is not UNKNOWN
        else BOOL
    )


def is_same(a: Type, b: Type) -> Type:
    """The truth of `a is b`, known only where one is None."""
    if NONE not in (a, b) or ANY in (a, b) or BOTTOM in (a, b):
        return BOOL
    return Scalar("bool", a == b)


def is_instance(t: Type, classes: Type) -> Type:
    """The truth of `isinstance`, where the type tells the class."""
    wanted = classes.items if isinstance(classes, Tuple) else (classes,)
    cls = class_of(t)
    if not all(isinstance(w, Known) and isinstance(w.value, type) for w in wanted):
        return BOOL
    if t == REAL and not any(_is_numeric(w.value) for w in wanted if isinstance(w, Known)):
        return Scalar("bool", False)
    if cls is None:
        return BOOL
    try:
        return Scalar("bool", issubclass(cls, tuple(w.value for w in wanted if isinstance(w, Known))))
    except TypeError:
        return BOOL


def is_foreign(t: Type) -> bool:
    """Whether a value has operators of its own: an object of the user's, a subclass of ndarray."""
    if not isinstance(t, Instance) or t.cls is range:
        return False
    return not any(issubclass(t.cls, number) and t.cls.__mul__ is number.__mul__ for number in (int, float))


def _is_numeric(cls: type) -> bool:
    """Whether a number of some kind may be an instance of `cls`."""
    numbers = (float, int, np.generic)
    return issubclass(cls, numbers) or any(
        issubclass(number, cls) for number in (*numbers, np.float64, np.int64)
    )


def class_of(t: Type) -> type | None:
    match t:
        case Scalar(kind):
            kinds = {
                "float": float,
                "int": int,
                "bool": bool,
                "complex": complex,
                "str": str,
                "none": type(None),
            }
            return kinds.get(kind)
        case NumpyScalar(dtype):
            return dtype.type
        case Array():
            return np.ndarray
        case Tuple(_, ()):
            return tuple
        case List():
            return list
        case Dict():
            return dict
        case Instance(cls):
            return cls
    return None
