"""Calls whose function only the run knows: find its rule, or compile its pair, when it is called."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from types import BuiltinMethodType, FunctionType, MethodDescriptorType, MethodType, MethodWrapperType
from typing import Any

import numpy as np

from myia.errors import MissingRule, SourceUnavailable, UnsupportedMutation, UnsupportedSyntax
from myia.runtime.adjoints import zeros_like
from myia.runtime.native import ARRAYS, outside

__all__ = ["UNBOUND", "bound", "call", "call_method", "captured", "get_attribute", "matters"]

Pullback = Callable[[Any], list[Any]]


class _Unbound:
    def __repr__(self) -> str:
        return "<not assigned yet>"


UNBOUND = _Unbound()
"""What a variable holds that the sweeps pass on before the program has assigned it."""


def bound(value: Any, name: str) -> None:
    """Raise what Python would for a local variable read before it is assigned."""
    if value is UNBOUND:
        raise UnboundLocalError(
            f"cannot access local variable {name!r} where it is not associated with a value"
        )


def captured(function: FunctionType, name: str) -> Any:
    """The present value of a variable that a nested function captured."""
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    return cells[name].cell_contents if name in cells else None


def call(
    function: Any,
    args: Sequence[Any],
    kwargs: dict[str, Any],
    active: tuple[bool, ...],
    spread: bool = False,
    spread_keywords: bool = False,
    shadowed: bool = False,
) -> tuple[Any, Any]:
    """`function(*args, **kwargs)` and its pullback.

    The pullback gives one adjoint for each operand, positional ones first; `spread` operands
    (`*args`, `**kwargs`) count as one, a list or a dictionary. `active` says which operands matter.

    `shadowed`: the pullback takes the table of shadows too, where the adjoints of arrays and containers
    are; it gives those of numbers, and 0.0 for everything else.
    """
    args = tuple(args)
    if shadowed:
        if spread or spread_keywords:
            raise UnsupportedMutation(
                "a call with starred arguments of what is written in place",
                reason="which function is called, and what it is given, is known only when the program runs",
                remedy="name the arguments",
            )
        return _call_shadowed(function, args, kwargs, active)
    mask = list(active[:1]) * len(args) if spread else list(active[: len(args)])
    rest = active[1:] if spread else active[len(args) :]
    named = {key: rest[0] if spread_keywords else rest[k] for k, key in enumerate(kwargs)}
    value, pull = _apply(function, args, kwargs, mask, named)

    def pullback(d_value: Any) -> list[Any]:
        positional, keyword = pull(d_value)
        positional = [_shaped(part, x, on) for part, x, on in zip(positional, args, mask, strict=True)]
        keyword = {key: _shaped(keyword[key], x, named[key]) for key, x in kwargs.items()}
        return [
            *([positional] if spread else positional),
            *([keyword] if spread_keywords else [keyword[key] for key in kwargs]),
        ]

    return value, pullback


def _shaped(part: Any, x: Any, active: bool) -> Any:
    """An adjoint of `x`: zeros of its structure where nothing was contributed."""
    return zeros_like(x) if active and isinstance(part, float) and part == 0.0 else part


def call_method(
    owner: Any,
    name: str,
    args: Sequence[Any],
    kwargs: dict[str, Any],
    active: tuple[bool, ...],
    spread: bool = False,
    spread_keywords: bool = False,
    shadowed: bool = False,
) -> tuple[Any, Any]:
    """`owner.name(*args, **kwargs)` and its pullback; the owner is the first operand."""
    from myia.adjoint.rules.methods import METHODS

    if isinstance(owner, (*ARRAYS, np.generic)) and name in METHODS:
        function: Any = METHODS[name]
        if isinstance(owner, np.generic) and isinstance(function, MethodDescriptorType):
            if name == "item" and isinstance(owner, np.floating):
                function = float
            else:
                owner = np.asarray(owner)
    else:
        method = getattr(owner, name)
        if isinstance(method, MethodType) and method.__self__ is owner:
            function = method.__func__
        else:
            if active[0]:
                raise _no_rule(f"the method .{name} of a {type(owner).__name__}")
            value, pull = call(method, args, kwargs, active[1:], spread, spread_keywords, shadowed)
            return value, lambda *given: [0.0, *pull(*given)]
    if not spread:
        return call(function, (owner, *args), kwargs, active, False, spread_keywords, shadowed)
    value, pull = call(
        function, (owner, *args), kwargs, (any(active[:2]), *active[2:]), True, spread_keywords
    )

    def apart(d_value: Any) -> list[Any]:
        together, *others = pull(d_value)
        return [together[0], together[1:], *others]

    return value, apart


def get_attribute(owner: Any, name: str, shadowed: bool = False) -> tuple[Any, Any]:
    """`owner.name`, computed by a property, and its pullback."""
    found = getattr(type(owner), name)
    return call(found.fget, (owner,), {}, (True,), shadowed=shadowed)


def _call_shadowed(
    function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], active: tuple[bool, ...]
) -> tuple[Any, Callable[[Any, Any], list[Any]]]:
    """The value of a call, and its pullback where adjoints of arrays and containers are in shadows."""
    from myia.adjoint.template import INACTIVE, RULES, SCALAR_RULES

    operands = (*args, *kwargs.values())
    hashable = _hashable(function)
    if hashable and (RULES.get(function) or SCALAR_RULES.get(function)) is not None:
        on = dict(zip(kwargs, active[len(args) :], strict=True))
        value, pull = _apply(function, args, kwargs, list(active[: len(args)]), on)

        def pullback(d_value: Any, shadows: Any) -> list[Any]:
            g = shadows.cotangent(value, d_value, operands)
            if not matters(g):
                return [0.0] * len(operands)
            positional, keyword = pull(g)
            found = [*positional, *keyword.values()]
            return [
                shadows.add(x, 0.0, part) if wanted else 0.0
                for x, part, wanted in zip(operands, found, active, strict=True)
            ]

        return value, pullback
    if not any(active) or (hashable and function in INACTIVE):
        return outside(function, *args, **kwargs), lambda *_: [0.0] * len(operands)
    return _pair_in_shadows(function, args, kwargs, active)


def _pair_in_shadows(
    function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], active: tuple[bool, ...]
) -> tuple[Any, Callable[[Any, Any], list[Any]]]:
    from myia.api import flatten_call

    plain, before = _plain_function(function)
    values, places = flatten_call(plain, (*before, *args), kwargs)
    on = [False] * len(before) + list(active[: len(args)])
    named = dict(zip(kwargs, active[len(args) :], strict=True))
    selected = sorted(
        {places[k][0] for k, wanted in enumerate(on) if wanted}
        | {places[key][0] for key, wanted in named.items() if wanted}
    )
    forward, backward, returned = _pair(plain, tuple(values), tuple(selected), True)
    value, record = forward(*values)

    def pullback(d_value: Any, shadows: Any) -> list[Any]:
        found = backward(record, d_value, shadows)
        parts = [] if not returned else [found] if len(returned) == 1 else found
        adjoints = dict(zip(returned, parts, strict=True))

        def part(place: tuple[int, Any], x: Any) -> Any:
            position, key = place
            if position not in adjoints:
                return 0.0
            return shadows.add(x, 0.0, adjoints[position] if key is None else adjoints[position][key])

        first = len(before)
        positional = [part(places[k + first], x) for k, x in enumerate(args)]
        return [*positional, *(part(places[key], x) for key, x in kwargs.items())]

    return value, pullback


def matters(g: Any) -> bool:
    """Whether there is a cotangent at all: not for what has its shadow with an operand."""
    return not (type(g) is float and g == 0.0)


def _apply(
    function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], active: list[bool], named: dict[str, bool]
) -> tuple[Any, Callable[[Any], tuple[list[Any], dict[str, Any]]]]:
    """The value, and the pullback to positional and keyword arguments."""
    from myia.adjoint.template import INACTIVE, RULES, SCALAR_RULES

    rule = (RULES.get(function) or SCALAR_RULES.get(function)) if _hashable(function) else None
    if rule is not None:
        return _apply_rule(rule, function, args, kwargs, active, named)
    if isinstance(function, (BuiltinMethodType, MethodWrapperType)) and isinstance(function.__self__, ARRAYS):
        raise _no_rule(f"the method .{function.__name__} taken from an array")
    inactive = _hashable(function) and function in INACTIVE
    if inactive or not (any(active) or any(named.values())):
        return outside(function, *args, **kwargs), lambda _: ([0.0] * len(args), dict.fromkeys(kwargs, 0.0))
    return _apply_pair(function, args, kwargs, active, named)


def _apply_rule(
    rule: Any,
    function: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    active: list[bool],
    named: dict[str, bool],
) -> tuple[Any, Callable[[Any], tuple[list[Any], dict[str, Any]]]]:
    from myia.runtime.operators import operator

    entry = operator(function)
    arguments = entry.bound(*args, **kwargs).arguments
    places: list[tuple[str, int | None]] = []
    for name, parameter in rule.signature.parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL:
            places += [(name, k) for k in range(len(arguments[name]))]
        elif len(places) < len(args):
            places.append((name, None))
    wanted = {name for (name, _), on in zip(places, active, strict=False) if on}
    wanted |= {name for name, on in named.items() if on}
    value, pending = entry.forward(*args, wrt=frozenset(wanted), **kwargs)

    def pull(d_value: Any) -> tuple[list[Any], dict[str, Any]]:
        adjoints = pending.backprop(d_value)

        def part(name: str, k: int | None) -> Any:
            found = adjoints.get(name, 0.0)
            return found[k] if k is not None and name in adjoints else found

        return [part(*place) for place in places[: len(args)]], {
            key: adjoints.get(key, 0.0) for key in kwargs
        }

    return value, pull


def _apply_pair(
    function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], active: list[bool], named: dict[str, bool]
) -> tuple[Any, Callable[[Any], tuple[list[Any], dict[str, Any]]]]:
    from myia.api import flatten_call

    plain, before = _plain_function(function)
    values, places = flatten_call(plain, (*before, *args), kwargs)
    on = [False] * len(before) + active
    selected = sorted(
        {places[k][0] for k, wanted in enumerate(on) if wanted}
        | {places[key][0] for key, w in named.items() if w}
    )
    forward, backward, _ = _pair(plain, tuple(values), tuple(selected), False)
    value, record = forward(*values)

    def pull(d_value: Any) -> tuple[list[Any], dict[str, Any]]:
        found = backward(record, d_value)
        adjoints = dict(zip(selected, [found] if len(selected) == 1 else found, strict=True))

        def part(place: tuple[int, Any]) -> Any:
            position, key = place
            whole = adjoints.get(position, 0.0)
            return whole[key] if key is not None and position in adjoints else whole

        first = len(before)
        return [part(places[k + first]) for k in range(len(args))], {key: part(places[key]) for key in kwargs}

    return value, pull


def _plain_function(function: Any) -> tuple[FunctionType, tuple[Any, ...]]:
    """The plain function behind a callable that is to be differentiated, and what is bound to it."""
    from myia.parse.source import python_function

    try:
        plain, before = python_function(function)
    except SourceUnavailable:
        raise _no_rule(getattr(function, "__qualname__", repr(function))) from None
    if plain.__code__.co_filename.startswith("<myia") and plain.__closure__:
        raise UnsupportedSyntax(
            f"the nested function {plain.__name__} is called where only the run knows that it is meant",
            reason="its captured variables may matter for the gradient",
            remedy="call it by its name where it is defined, or pass the captured variables as arguments",
        )
    return plain, before


def _pair(
    function: FunctionType, values: tuple[Any, ...], selected: tuple[int, ...], shadowed: bool
) -> tuple[Any, Any, tuple[int, ...]]:
    """The compiled pair of a function for these argument types, compiled once while its guards hold.

    Also, which of the selected arguments the backward half gives adjoints for.
    """
    from myia.parse.types import type_of
    from myia.pipeline import compile_pair

    types = tuple(map(type_of, values))
    known = _pairs(function)
    compiled = known.get((types, selected, shadowed))
    if compiled is None or not compiled.holds():
        compiled = known[types, selected, shadowed] = compile_pair(function, types, selected, shadowed)
    forward, backward = compiled.run
    return forward, backward, compiled.returned


@functools.lru_cache(maxsize=256)
def _pairs(function: FunctionType) -> dict[Any, Any]:
    return {}


def _no_rule(what: str) -> MissingRule:
    return MissingRule(
        f"{what} has no derivative rule",
        reason="the gradient depends on its result",
        remedy="write it with functions that have rules, or add a rule (CONTRIBUTING.md)",
    )


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
