"""The types a gradient is specialised on, and what is known of them.

A type never holds a shape. It holds a value only for small constants written in the program (an
axis, a flag, an einsum subscript), never for an argument.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from myia import _runtime
from myia.parse.scope import is_constant

UNKNOWN = object()
"""The value of a scalar that only the run knows."""

_DEEP = 6
"""Containers nested deeper than this are `Any`, so that types cannot grow without end."""


@dataclass(frozen=True)
class Type:
    pass


@dataclass(frozen=True)
class AnyType(Type):
    """Nothing is known: generic code looks at the value when it runs."""


@dataclass(frozen=True)
class Bottom(Type):
    """No value has been seen yet."""


@dataclass(frozen=True)
class Scalar(Type):
    """A Python scalar: "float", "int", "bool", "complex", "str", "none", or "real", a Python or NumPy
    number of unknown kind."""

    kind: str
    value: Any = UNKNOWN


@dataclass(frozen=True)
class NumpyScalar(Type):
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class Array(Type):
    """An ndarray; `dtype` or `rank` may be unknown (None)."""

    dtype: np.dtype[Any] | None
    rank: int | None


@dataclass(frozen=True)
class Tuple(Type):
    """A tuple; `names` are the fields of a named one."""

    items: tuple[Type, ...]
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class List(Type):
    item: Type


@dataclass(frozen=True)
class Dict(Type):
    """A dictionary with known keys (`keys`, then one type each), or only the join of its values."""

    keys: tuple[Any, ...] | None
    values: tuple[Type, ...]


@dataclass(frozen=True, eq=False)
class Known(Type):
    """A callable, module or class known by identity."""

    value: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Known) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


@dataclass(frozen=True)
class Nested(Type):
    """A function defined inside the one being compiled; `program` is compared by identity."""

    program: Any
    captures: tuple[Type, ...]


@dataclass(frozen=True)
class Instance(Type):
    """An object of a class of the user's; `own`: attributes of its own hide some of its class."""

    cls: type
    own: bool = False


ANY = AnyType()
BOTTOM = Bottom()
FLOAT, INT, BOOL = Scalar("float"), Scalar("int"), Scalar("bool")
STR, NONE = Scalar("str"), Scalar("none", None)
REAL, COMPLEX = Scalar("real"), Scalar("complex")

_SCALARS: dict[type, Type] = {
    float: FLOAT,
    int: INT,
    bool: BOOL,
    complex: COMPLEX,
    str: STR,
    type(None): NONE,
}

_arrays: dict[tuple[np.dtype[Any], int], Array] = {}


def type_of(value: Any, depth: int = 0) -> Type:
    """The type of a live value."""
    kind = type(value)
    if kind is np.ndarray or kind is _runtime.Array:
        key = (value.dtype, value.ndim)
        found = _arrays.get(key)
        if found is None:
            found = _arrays[key] = Array(*key)
        return found
    if (scalar := _SCALARS.get(kind)) is not None:
        return scalar
    if depth > _DEEP:
        return ANY
    if isinstance(value, np.generic):
        return NumpyScalar(value.dtype)
    if isinstance(value, np.ndarray):
        return Instance(kind)  # a subclass, with operators of its own
    if isinstance(value, tuple):
        return Tuple(tuple(type_of(item, depth + 1) for item in value), getattr(kind, "_fields", ()))
    if kind is list:
        return List(join_all(type_of(item, depth + 1) for item in value))
    if kind is dict:
        if len(value) <= 64 and all(isinstance(key, (str, int, bool, type(None))) for key in value):
            return Dict(tuple(value), tuple(type_of(item, depth + 1) for item in value.values()))
        return Dict(None, (join_all(type_of(v, depth + 1) for v in value.values()),))
    if is_constant(value) and (isinstance(value, type) or not _user_instance(value)):
        return Known(value)
    return Instance(kind, _shadows_methods(value, kind))


def _shadows_methods(value: Any, kind: type) -> bool:
    """Whether an attribute of the object itself hides one of its class: a method looked up there is wrong."""
    own: dict[str, Any] = getattr(value, "__dict__", None) or {}
    return any(callable(found := getattr(kind, name, None)) or hasattr(found, "__get__") for name in own)


def _user_instance(value: Any) -> bool:
    """Whether a callable is an object with state, whose class alone is known."""
    from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType

    plain = (FunctionType, BuiltinFunctionType, MethodType, ModuleType, type, np.ufunc)
    return not isinstance(value, plain) and not type(value).__module__.startswith("numpy")


def constant_type(value: Any) -> Type:
    """The type of a literal in the program: small constants keep their value."""
    if value is None:
        return NONE
    if isinstance(value, (bool, int, str)):
        return Scalar(type(value).__name__, value)
    return type_of(value)


def join(a: Type, b: Type) -> Type:
    """The least type that covers both."""
    if a == b or b == BOTTOM:
        return a
    if a == BOTTOM:
        return b
    match a, b:
        case Scalar(p), Scalar(q) if p == q:
            return Scalar(p)
        case ((Scalar() | NumpyScalar()), (Scalar() | NumpyScalar())) if is_number(a) and is_number(b):
            return REAL
        case Array(p, m), Array(q, n):
            return Array(p if p == q else None, m if m == n else None)
        case Tuple(p, m), Tuple(q, n) if len(p) == len(q):
            return shallow(Tuple(tuple(map(join, p, q)), m if m == n else ()))
        case List(p), List(q):
            return shallow(List(join(p, q)))
        case Dict(k, p), Dict(m, q) if k == m:
            return shallow(Dict(k, tuple(map(join, p, q))))
        case Dict(_, p), Dict(_, q):
            return shallow(Dict(None, (join_all((*p, *q)),)))
    return ANY


def join_all(types: Iterable[Type]) -> Type:
    """The least type that covers all; `BOTTOM` for none."""
    joined: Type = BOTTOM
    for t in types:
        joined = join(joined, t)
    return joined


def shallow(t: Type, depth: int = 0) -> Type:
    """`t` with everything nested too deep forgotten."""
    if depth > _DEEP:
        return ANY
    match t:
        case Tuple(items, names):
            return Tuple(tuple(shallow(item, depth + 1) for item in items), names)
        case List(item):
            return List(shallow(item, depth + 1))
        case Dict(keys, values):
            return Dict(keys, tuple(shallow(v, depth + 1) for v in values))
    return t


def without_contents(t: Type) -> Type:
    """A container of which only the kind is known."""
    match t:
        case List():
            return List(ANY)
        case Dict():
            return Dict(None, (ANY,))
        case Tuple(items, names):
            return Tuple(
                tuple(without_contents(i) if isinstance(i, (List, Dict, Tuple)) else i for i in items), names
            )
    return t


def forget_value(t: Type) -> Type:
    """A scalar without its value: what a loop or an argument may bind."""
    return Scalar(t.kind) if isinstance(t, Scalar) and t.kind != "none" else t


def is_number(t: Type) -> bool:
    """Whether values of `t` are real scalars (or booleans)."""
    match t:
        case Scalar(kind):
            return kind in ("float", "int", "bool", "real")
        case NumpyScalar(dtype):
            return dtype.kind in "fiub"
    return False


def may_be_number(t: Type) -> bool:
    """Whether a value of this type can be one real number: an array of rank 0, or unknown, may be."""
    return is_number(t) or isinstance(t, (AnyType, Bottom)) or (isinstance(t, Array) and t.rank in (0, None))


def is_scalar(t: Type) -> bool:
    return isinstance(t, (Scalar, NumpyScalar))


def is_immutable(t: Type) -> bool:
    """Whether an augmented assignment rebinds."""
    return isinstance(t, (Scalar, NumpyScalar, Tuple, Known))


def is_mutable(t: Type) -> bool:
    return isinstance(t, (Array, List, Dict))


def may_vary(t: Type) -> bool:
    """Whether a value of this type can have a derivative."""
    match t:
        case Scalar(kind):
            return kind in ("float", "real", "complex")
        case NumpyScalar(dtype):
            return dtype.kind in "fcOV"
        case Array(dtype):
            return dtype is None or dtype.kind in "fcOV"
        case Tuple(items):
            return any(map(may_vary, items))
        case List(item):
            return may_vary(item)
        case Dict(_, values):
            return any(map(may_vary, values))
        case Nested(_, captures):
            return any(map(may_vary, captures))
        case Known() | Bottom() | Instance():
            return False
    return True


def may_hold_array(t: Type) -> bool:
    """Whether a value of this type may be an array, or a container with arrays in it."""
    match t:
        case Tuple(items):
            return any(map(may_hold_array, items))
        case List(item):
            return may_hold_array(item)
        case Dict(_, values):
            return any(map(may_hold_array, values))
        case Scalar() | NumpyScalar() | Known() | Nested() | Instance():
            return False
    return True


def is_complex(t: Type) -> bool:
    match t:
        case Scalar(kind):
            return kind == "complex"
        case NumpyScalar(dtype) | Array(dtype):
            return dtype is not None and dtype.kind == "c"
    return False


def is_opaque(t: Type) -> bool:
    """Whether an array holds objects or records, whose derivatives are not followed."""
    return isinstance(t, (NumpyScalar, Array)) and t.dtype is not None and t.dtype.kind in "OV"


def describe(t: Type) -> str:
    """The type as people write it: `float64[2]` for a matrix, `float`, `tuple[float, int]`."""
    match t:
        case Scalar(kind, value):
            return kind if value is UNKNOWN or kind == "none" else f"{kind} {value!r}"
        case NumpyScalar(dtype):
            return str(dtype)
        case Array(dtype, rank):
            return f"{dtype if dtype is not None else 'array'}[{'?' if rank is None else rank}]"
        case Tuple(items):
            return f"tuple[{', '.join(map(describe, items))}]"
        case List(item):
            return f"list[{describe(item)}]"
        case Dict(keys, values):
            if keys is None:
                return f"dict[{describe(values[0])}]"
            return "{" + ", ".join(f"{k!r}: {describe(v)}" for k, v in zip(keys, values, strict=True)) + "}"
        case Known(value):
            return getattr(value, "__qualname__", getattr(value, "__name__", type(value).__name__))
        case Nested(program):
            return f"function {program.name}"
        case Instance(cls):
            return cls.__qualname__
        case Bottom():
            return "nothing"
    return "any"
