"""Objects made by the program: which classes are seen through, and what making one assigns."""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import sys
from abc import ABCMeta
from types import FunctionType
from typing import Any


@functools.lru_cache(maxsize=1024)
def how_made(cls: Any) -> str | None:
    """How an object is made: "init" by its own `__init__`, "fields" as a dataclass, "bare" without any.

    None if something else has a say in it: a metaclass, `__new__`, `__setattr__`, a base in C.
    """
    init = inspect.getattr_static(cls, "__init__", None)
    plain = type(cls) in (type, ABCMeta) and cls.__new__ is object.__new__
    if plain and init is object.__init__ and not _is_library(cls):
        return "bare" if cls.__setattr__ is object.__setattr__ else None
    if not plain or not isinstance(init, FunctionType) or cls.__setattr__ is not object.__setattr__:
        return None
    if issubclass(cls, BaseException) or _is_library(cls):
        return None
    if dataclasses.is_dataclass(cls) and init.__code__.co_filename == "<string>":
        simple = not hasattr(cls, "__post_init__") and not any(
            isinstance(inspect.getattr_static(cls, f.name, None), property) for f in dataclasses.fields(cls)
        )
        return "fields" if simple else None
    return "init"


def _is_library(cls: Any) -> bool:
    return cls.__module__.partition(".")[0] in {*sys.stdlib_module_names, "numpy", "scipy", "myia"} - {
        "__main__"
    }


def fields_given(
    cls: Any, arguments: list[ast.expr], keywords: dict[str, ast.expr]
) -> dict[str, ast.expr] | None:
    """What each field of a dataclass is set to, in order; None if a call of it would fail."""
    try:
        bound = inspect.signature(cls).bind(*arguments, **keywords)
    except TypeError:
        return None
    found: dict[str, ast.expr] = {}
    for field in dataclasses.fields(cls):
        if field.init and field.name in bound.arguments:
            found[field.name] = bound.arguments[field.name]
        elif field.default is not dataclasses.MISSING:
            found[field.name] = ast.Constant(field.default)
        elif field.default_factory in (list, dict):
            found[field.name] = (
                ast.List([], ast.Load()) if field.default_factory is list else ast.Dict([], [])
            )
        elif field.init or field.default_factory is not dataclasses.MISSING:
            return None
    return found
