"""Writes that only the run understands: run in the forward sweep, taken back in the reverse sweep.

`mutate(kind, ...)` runs one and gives `(value, undo)`. `undo(shadows, d_value)`, called once, takes
everything back as it was, and gives the adjoints of the operands that are numbers; those of arrays and
containers are in the shadows. What is saved is what was overwritten. `undo` reads the operands again: all
must hold then what they held after the write.

>>> from myia.runtime.shadows import Shadows
>>> shadows, items = Shadows(), [1.0, 2.0, 3.0]
>>> value, undo = mutate("method", items, "pop", 0)
>>> value, items
(1.0, [2.0, 3.0])
>>> shadows.slots(items)[1] = 5.0
>>> undo(shadows, 7.0), items, shadows.tree(items)
([0.0, 0.0], [1.0, 2.0, 3.0], [7.0, 0.0, 5.0])
"""

from __future__ import annotations

import bisect
import functools
import heapq
import inspect
import operator
import random
from collections import deque
from collections.abc import Callable
from types import CodeType, MemberDescriptorType
from typing import Any

import numpy as np

from myia._runtime import shares, take_at
from myia.adjoint.template import INACTIVE, RULES, SCALAR_RULES, run_template
from myia.errors import MissingRule
from myia.runtime import mutate_arrays, mutate_lists, mutate_tables
from myia.runtime.mutate_lists import Mutation, Table, refused
from myia.runtime.native import ARRAYS, Array
from myia.runtime.shadows import Inactive, Shadows, is_record

__all__ = ["mutate", "mutates"]

Undo = Callable[[Shadows | None, Any], list[Any]]

_NOTHING = Inactive()


def mutate(kind: str, /, *operands: Any, **keywords: Any) -> tuple[Any, Undo]:
    """Run a write, and give the value of its statement and what takes it back.

        "setitem", owner, index, value          owner[index] = value
        "setattr", owner, name, value           owner.name = value
        "update", operator, x, value            x operator= value, of which the value is the new x
        "update_item", operator, owner, index, value
        "method", owner, name, *args, **kwargs  owner.name(*args, **kwargs)
        "function", function, *args, **kwargs   function(*args, **kwargs)

    `undo(shadows, d_value)` gives a list with one adjoint for each operand in this order; the name of an
    attribute, operator or method and the function are not among them. `d_value` is the adjoint of the value
    if that is a number. With `undo(None, 0.0)` nothing is active, and only values are taken back.

    Raises UnsupportedMutation for what cannot be taken back or is no write, and whatever the write raises.
    """
    write, given = _KINDS[kind](*operands)
    value, back = write(*given, **keywords)
    names = _names(write.__code__, len(given))
    if keywords:
        names = (*names, *keywords)

    def undo(shadows: Shadows | None, d_value: Any) -> list[Any]:
        found = back(_NOTHING if shadows is None else shadows, d_value)
        return [found.get(name, 0.0) for name in names]

    return value, undo


@functools.cache
def _names(code: CodeType, count: int) -> tuple[str, ...]:
    """The names of the positional arguments of one of our functions."""
    names: tuple[str, ...] = code.co_varnames[: min(count, code.co_argcount)]
    rest = code.co_varnames[code.co_argcount + code.co_kwonlyargcount :][:1]
    return (*names, *(rest * (count - len(names))))


def mutates(owner: Any, name: str) -> bool:
    """Whether the method of that name writes into `owner`, and `mutate` can run it."""
    kind: Any = type(owner)
    return name in _METHODS.get(kind, {}) or (name == "shuffle" and isinstance(owner, _RANDOM))


# -- items and attributes -------------------------------------------------------------------------------


def _set_item(owner: Any, index: Any, value: Any) -> Mutation:
    kind: Any = type(owner)
    if kind in _METHODS and "__setitem__" in _METHODS[kind]:
        return _METHODS[kind]["__setitem__"](owner, index, value)
    if not hasattr(kind, "__setitem__"):
        owner[index] = value  # raises what Python says
    raise _foreign(owner, "an item of", "keep the values in a list, a dictionary or an array")


def _delete_item(owner: Any, index: Any) -> Mutation:
    kind: Any = type(owner)
    if kind in _METHODS and "__delitem__" in _METHODS[kind]:
        return _METHODS[kind]["__delitem__"](owner, index)
    raise _foreign(owner, "an item of", "keep the values in a list or a dictionary")


def _set_attribute(owner: Any, name: str, value: Any) -> Mutation:
    kind: Any = type(owner)
    slot = _is_slot(kind, name)
    if slot is None or not is_record(owner):
        raise _foreign(owner, f"the attribute {name!r} of", "write a plain attribute of a plain class")
    known = hasattr(owner, name) if slot else name in getattr(owner, "__dict__", ())
    old = getattr(owner, name) if known else None
    setattr(owner, name, value)

    def back(shadows: Table, d_value: Any) -> dict[str, Any]:
        if known:
            setattr(owner, name, old)
        else:
            delattr(owner, name)
        return {"value": shadows.take_slot(owner, name)}

    return None, back


@functools.lru_cache(maxsize=4096)
def _is_slot(kind: Any, name: str) -> bool | None:
    """Whether objects of a class keep an attribute in a slot; None if to write it runs code of the class."""
    if kind.__setattr__ is not object.__setattr__:
        return None
    found = inspect.getattr_static(kind, name, None)
    if isinstance(found, MemberDescriptorType):
        return True
    return None if hasattr(type(found), "__set__") else False


# -- updates ------------------------------------------------------------------------------------------------

_OPERATORS: dict[str, tuple[Any, Any]] = {
    "add": (operator.add, operator.iadd), "sub": (operator.sub, operator.isub),
    "mul": (operator.mul, operator.imul), "truediv": (operator.truediv, operator.itruediv),
    "pow": (operator.pow, operator.ipow), "matmul": (operator.matmul, operator.imatmul),
    "floordiv": (operator.floordiv, operator.ifloordiv), "mod": (operator.mod, operator.imod),
    "and": (operator.and_, operator.iand), "or": (operator.or_, operator.ior),
    "xor": (operator.xor, operator.ixor), "lshift": (operator.lshift, operator.ilshift),
    "rshift": (operator.rshift, operator.irshift),
}  # fmt: skip
_OPERATORS |= {"and_": _OPERATORS["and"], "or_": _OPERATORS["or"]}

_SCALARS = (float, int, np.generic)
_REBOUND = (*_SCALARS, complex, str, bytes, tuple, frozenset, type(None), range)


def _update(name: str, x: Any, value: Any) -> Mutation:
    """`x operator= value`: the new x, and the adjoints of "x" and "value"."""
    kind: Any = type(x)
    if is_record(value):
        raise _foreign(value, f"the operator {name}= with", "write it with numbers and arrays")
    if kind in ARRAYS:
        return _update_array(name, x, value)
    special = _UPDATES.get(kind, {}).get(name)
    if special is not None and not isinstance(value, ARRAYS):
        if not isinstance(value, np.generic) or (name == "mul" and isinstance(value, np.integer)):
            return special(x, value)
    plain = isinstance(x, _REBOUND) or kind in _UPDATES
    if not plain or not isinstance(value, (*_REBOUND, *ARRAYS, list, dict, set, deque)):
        raise _foreign(
            value if plain else x, f"the operator {name}= with", "write it with numbers and arrays"
        )
    return _rebind(name, x, value)


def _rebind(name: str, x: Any, value: Any) -> Mutation:
    """`x = x operator value`, which makes a new value."""
    plain, in_place = _OPERATORS[name]
    made = in_place(x, value)

    def back(shadows: Table, d_value: Any) -> dict[str, Any]:
        if not isinstance(shadows, Shadows):
            return {}
        g = shadows.cotangent(made, d_value, (x, value))
        if isinstance(g, float) and g == 0.0:
            return {}
        if isinstance(made, (tuple, list)):
            return _sequence_back(shadows, name, x, value, g)
        return _rule_back(shadows, plain, made, x, value, g)

    return made, back


def _sequence_back(shadows: Shadows, name: str, x: Any, value: Any, g: Any) -> dict[str, Any]:
    """The adjoints of tuples or lists that were joined, or of one that was repeated."""
    if name == "add":
        shadows.add(x, 0.0, g[: len(x)])
        shadows.add(value, 0.0, g[len(x) :])
        return {}
    whole = x if isinstance(x, (tuple, list)) else value
    sums = [0.0] * len(whole)  # items that are no numbers have shadows of their own
    for k, part in enumerate(g):
        sums[k % len(whole)] += part
    shadows.add(whole, 0.0, sums)
    return {}


def _rule_back(shadows: Shadows, plain: Any, made: Any, x: Any, value: Any, g: Any) -> dict[str, Any]:
    """What the rule of the operator contributes to `x` and `value`."""
    scalars = isinstance(x, _SCALARS) and isinstance(value, _SCALARS)
    rule = (SCALAR_RULES.get(plain) if scalars else None) or RULES.get(plain)
    if rule is None:
        if plain in INACTIVE:
            return {}
        raise MissingRule(
            f"the operator {plain.__name__} has no derivative rule",
            reason="the gradient depends on its result",
            remedy="write it with functions that have rules",
        )
    first, second = list(rule.signature.parameters)[:2]
    wanted = {name for name, operand in ((first, x), (second, value)) if _varies(operand)}
    adjoints = run_template(rule, made, (x, value), {}, g, wanted)
    return {
        "x": shadows.give(x, adjoints.get(first, 0.0)),
        "value": shadows.give(value, adjoints.get(second, 0.0)),
    }


def _varies(x: Any) -> bool:
    """Whether an operand can have an adjoint: it holds real numbers."""
    if isinstance(x, ARRAYS):
        return bool(x.dtype.kind == "f")
    return isinstance(x, (float, np.floating, list, tuple))


def _update_array(name: str, x: Any, value: Any) -> Mutation:
    plain, in_place = _OPERATORS[name]
    old = x.copy()
    in_place(x, value)

    def back(shadows: Table, d_value: Any) -> dict[str, Any]:
        if not isinstance(shadows, Shadows) or x.dtype.kind != "f":
            x[...] = old
            return {}
        made = x.copy() if _reads_result(plain) else None
        x[...] = old
        g = take_at(shadows.of(x), ...)
        return _rule_back(shadows, plain, made, x, value, g)

    return x, back


def _reads_result(plain: Any) -> bool:
    from myia.runtime.operators import reads_of

    rule = RULES.get(plain)
    return rule is not None and rule.output in reads_of(rule, frozenset(rule.signature.parameters))


def _merge_list(x: list[Any], value: Any) -> Mutation:
    if not hasattr(value, "__iter__") and not hasattr(value, "__getitem__"):
        return _rebind("add", x, value)  # raises what Python says
    _, back = mutate_lists.extend(x, value)
    return x, lambda shadows, d_value: back(shadows, d_value)


def _repeat_list(x: list[Any], value: Any) -> Mutation:
    return mutate_lists.repeat(x, value) if hasattr(value, "__index__") else _rebind("mul", x, value)


def _merge_deque(x: deque[Any], value: Any) -> Mutation:
    _, back = mutate_tables.DEQUE_METHODS["extend"](x, value)
    return x, back


def _repeat_deque(x: deque[Any], value: Any) -> Mutation:
    raise _foreign(x, "the operator mul= with", "extend it")


def _merge_table(x: dict[Any, Any], value: Any) -> Mutation:
    _, back = mutate_tables.update(x, value)
    return x, back


_SET_UPDATES = {
    name: mutate_tables.SET_METHODS[method]
    for name, method in (
        ("and", "__iand__"), ("or", "__ior__"), ("sub", "__isub__"), ("xor", "__ixor__"),
        ("and_", "__iand__"), ("or_", "__ior__"),
    )
}  # fmt: skip
_UPDATES: dict[type, dict[str, Callable[[Any, Any], Mutation]]] = {
    list: {"add": _merge_list, "mul": _repeat_list},
    deque: {"add": _merge_deque, "mul": _repeat_deque},
    set: _SET_UPDATES,
    **{kind: {"or": _merge_table, "or_": _merge_table} for kind in mutate_tables.DICTS},
}


def _update_item(name: str, owner: Any, index: Any, value: Any) -> Mutation:
    """`owner[index] operator= value`: an item is read, updated and stored, as Python does it."""
    if isinstance(owner, ARRAYS):
        index = mutate_arrays.kept_index(index)
    size = len(owner) if isinstance(owner, dict) else 0
    item = owner[index]
    inserted = isinstance(owner, dict) and len(owner) > size  # the default of a defaultdict
    made, update_back = _update(name, item, value)
    # A view was written into: there is nothing to store.
    stored = None if made is item and shares(item, owner) else _set_item(owner, index, made)[1]

    def back(shadows: Table, d_value: Any) -> dict[str, Any]:
        d_made = 0.0 if stored is None else stored(shadows, 0.0).get("value", 0.0)
        found = update_back(shadows, d_made)
        shadows.item(owner, index, item, found.get("x", 0.0))
        if inserted:
            del owner[index]
            shadows.take_slot(owner, index)
        return {"value": found.get("value", 0.0)}

    return None, back


# -- methods and functions ----------------------------------------------------------------------------------

_METHODS: dict[type, dict[str, Callable[..., Mutation]]] = {
    list: mutate_lists.METHODS,
    **dict.fromkeys(mutate_tables.DICTS, mutate_tables.METHODS),
    set: mutate_tables.SET_METHODS,
    deque: mutate_tables.DEQUE_METHODS,
    np.ndarray: mutate_arrays.METHODS,
    Array: mutate_arrays.METHODS,
}
_RANDOM = (random.Random, np.random.Generator, np.random.RandomState)


def _method(owner: Any, name: str, *args: Any) -> tuple[Callable[..., Mutation], tuple[Any, ...]]:
    kind: Any = type(owner)
    write = _METHODS.get(kind, {}).get(name)
    if write is not None:
        return write, (owner, *args)
    getattr(owner, name)  # raises what Python says
    if name == "shuffle" and isinstance(owner, _RANDOM):
        return _shuffle_method, (owner, *args)
    if kind in _METHODS or isinstance(owner, tuple(_METHODS)):
        raise _foreign(owner, f"the method .{name}() of", "build a new value instead")
    raise refused(
        f".{name}() of a {kind.__name__} is not known to write into it",
        "only the methods of lists, dictionaries, sets, deques and arrays are",
        "rename the method, or keep the object where its class is known",
    )


def _function(function: Any, *args: Any) -> tuple[Callable[..., Mutation], tuple[Any, ...]]:
    owner, name = getattr(function, "__self__", None), getattr(function, "__name__", "")
    if isinstance(owner, np.ufunc) and name == "at":
        return _at(owner), args
    if isinstance(owner, _RANDOM) and name == "shuffle":
        return _shuffle(function), args
    write = _FUNCTIONS.get(function)
    if write is not None:
        if function in _OF_LISTS and args and type(args[0]) is not list:
            raise _foreign(args[0], f"{name} of", "use a list")
        return write, args
    raise refused(
        f"{getattr(function, '__qualname__', function)} writes into an argument",
        "how to take that back is not known",
        "write it with assignments to items",
    )


def _at(ufunc: np.ufunc) -> Callable[..., Mutation]:
    return lambda a, indices, *b: mutate_arrays.at(ufunc, a, indices, *b)


def _shuffle(shuffler: Any) -> Callable[..., Mutation]:
    def shuffle(x: Any, axis: int = 0) -> Mutation:
        kind: Any = type(x)
        if kind is list:
            return mutate_lists.shuffle(shuffler, x)
        swaps = isinstance(shuffler.__self__, random.Random)  # x[i], x[j] = x[j], x[i], wrong for rows
        if kind not in ARRAYS or (swaps and x.ndim != 1):
            raise _foreign(x, "by shuffle(),", "shuffle a list, or an array with NumPy")
        return mutate_arrays.shuffle(shuffler, x, axis)

    return shuffle


def _shuffle_method(owner: Any, x: Any, axis: int = 0) -> Mutation:
    return _shuffle(owner.shuffle)(x, axis)


def _operation(name: str) -> Callable[..., Mutation]:
    return lambda x, value: _update(name, x, value)


_OF_LISTS: dict[Any, Callable[..., Mutation]] = {
    heapq.heappush: mutate_lists.heap_push, heapq.heappop: mutate_lists.heap_pop,
    heapq.heapify: mutate_lists.heapify, bisect.insort: mutate_lists.insort_right,
    bisect.insort_right: mutate_lists.insort_right, bisect.insort_left: mutate_lists.insort_left,
}  # fmt: skip
_FUNCTIONS: dict[Any, Callable[..., Mutation]] = {
    np.copyto: mutate_arrays.copy_to, np.put: mutate_arrays.put, np.place: mutate_arrays.place,
    np.putmask: mutate_arrays.put_mask, np.fill_diagonal: mutate_arrays.fill_diagonal,
    np.put_along_axis: mutate_arrays.put_along_axis, operator.setitem: _set_item,
    operator.delitem: _delete_item, setattr: _set_attribute, operator.iconcat: _operation("add"),
    **{in_place: _operation(name) for name, (_, in_place) in _OPERATORS.items()}, **_OF_LISTS,
}  # fmt: skip

_KINDS: dict[str, Callable[..., tuple[Any, tuple[Any, ...]]]] = {
    "setitem": lambda *operands: (_set_item, operands),
    "setattr": lambda owner, name, value: (
        lambda owner, value: _set_attribute(owner, name, value),
        (owner, value),
    ),
    "update": lambda name, *operands: (_operation(name), operands),
    "update_item": lambda name, *operands: (
        lambda owner, index, value: _update_item(name, owner, index, value),
        operands,
    ),
    "method": _method,
    "function": _function,
}


def _foreign(owner: Any, what: str, remedy: str) -> Exception:
    kind = type(owner)
    return refused(
        f"{what} a {kind.__module__}.{kind.__qualname__} is written".replace("builtins.", ""),
        "its class may write in its own way, and that could not be taken back",
        remedy,
    )
