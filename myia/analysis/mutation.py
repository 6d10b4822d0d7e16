"""Find what would write into an array or a container in place, and refuse it.

The table below names the methods and functions that write into their receiver or an argument. What a
called function does is checked too if it takes part in the derivative, or is given anything that can
be written into: the reverse sweep may still read it.
"""

from __future__ import annotations

import ast
import dis
import functools
import inspect
import sys
from types import CellType, CodeType, FunctionType
from typing import Any, NoReturn

import numpy as np

from myia.errors import MyiaError, UnsupportedMutation
from myia.parse.infer import Inference, Operation, Typed
from myia.parse.program import statements_of
from myia.parse.scope import is_constant
from myia.parse.types import ANY, AnyType, Array, Dict, Instance, Known, List, Type, is_mutable

_METHODS = frozenset(
    {
        "append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse", "update", "setdefault",
        "popitem", "add", "discard", "fill", "itemset", "put", "resize", "setfield", "setflags", "partition",
        "byteswap", "appendleft", "popleft", "extendleft", "rotate", "__setitem__", "__delitem__", "__iadd__",
        "__isub__", "__imul__", "__imatmul__", "__itruediv__", "__ifloordiv__", "__imod__", "__ipow__",
        "__iand__", "__ior__", "__ixor__", "__ilshift__", "__irshift__", "__setattr__", "__delattr__",
    }
)  # fmt: skip

_RANDOM = {"random": 2, "standard_normal": 2, "standard_exponential": 3, "standard_gamma": 3}
"""Methods of NumPy's random generators, with the position of `out`."""

_FUNCTIONS = frozenset(
    {
        "numpy.copyto", "numpy.put", "numpy.place", "numpy.putmask", "numpy.fill_diagonal",
        "numpy.put_along_axis", "_operator.setitem", "_operator.delitem", "_operator.iadd", "_operator.isub",
        "_operator.imul", "_operator.itruediv", "_operator.ipow", "_operator.imatmul", "_operator.ifloordiv",
        "_operator.imod", "_operator.iand", "_operator.ior", "_operator.ixor", "_operator.ilshift",
        "_operator.irshift", "_operator.iconcat", "_heapq.heappush",
        "_heapq.heappop", "_heapq.heapify", "_bisect.insort", "_bisect.insort_right", "_bisect.insort_left",
        "builtins.setattr", "builtins.delattr",
    }
)  # fmt: skip
"""By module and name. `shuffle`, of any module, and the `at` method of ufuncs are looked for besides."""


def refuse_mutation(typed: Typed, inference: Inference, checked: set[Typed]) -> None:
    """Raise UnsupportedMutation, with the place, for the first write in place in a program."""
    if typed in checked:
        return
    checked.add(typed)
    for s in statements_of(typed.program.body):
        value = s.value if isinstance(s, (ast.Assign, ast.Expr)) else None
        operation = typed.operations.get(s)
        if isinstance(value, ast.Call):
            _check_call(typed, s, value)
        elif isinstance(value, ast.Attribute) and value.attr in _METHODS:
            owner = typed.type_of(value.value)
            if is_mutable(owner) or isinstance(owner, AnyType):
                _refuse(
                    typed,
                    s,
                    f"the method .{value.attr}, which writes into {_what(owner)}, is taken as a value",
                )
        if operation is not None and value is not None:
            _check_callee(typed, operation, value, inference, checked)


def _check_call(typed: Typed, s: ast.stmt, call: ast.Call) -> None:
    path = ast.unparse(call.func)
    constants = typed.program.constants
    for keyword in call.keywords:
        if keyword.arg == "out" and not (
            isinstance(keyword.value, ast.Constant) and keyword.value.value is None
        ):
            _refuse(typed, s, "the result is written into an array given as out=")
    if path == "rt.rebindable":
        t = typed.type_of(call.args[0])
        if is_mutable(t):
            _refuse(typed, s, f"{_what(t)} is updated in place", "write x = x + y, which makes a new value")
    elif path in constants:
        function = constants[path]
        if _gives_out(function, call):
            _refuse(typed, s, "the result is written into an array given for out")
        name = getattr(function, "__name__", "")
        module = getattr(function, "__module__", None) or "builtins"
        if name == "shuffle" or f"{module}.{name}" in _FUNCTIONS or _is_method(function):
            _refuse(typed, s, f"{path} writes into its argument")
    elif (
        isinstance(call.func, ast.Attribute) and call.func.attr == "at" and _is_ufunc(typed, call.func.value)
    ):
        _refuse(typed, s, "the .at() of a ufunc writes into its argument")
    elif (
        isinstance(call.func, ast.Attribute)
        and call.func.attr in _RANDOM
        and len(call.args) > _RANDOM[call.func.attr]
    ):
        _refuse(typed, s, "the random numbers are written into an array given for out")
    elif isinstance(call.func, ast.Attribute) and _method_gives_out(typed, call):
        _refuse(typed, s, "the result is written into an array given for out")
    elif isinstance(call.func, ast.Attribute) and call.func.attr in (*_METHODS, "shuffle"):
        owner = typed.type_of(call.func.value)
        if is_mutable(owner) or isinstance(owner, AnyType) or call.func.attr == "shuffle":
            _refuse(typed, s, f".{call.func.attr}() writes into {_what(owner)}")


def _gives_out(function: Any, call: ast.Call, receiver: int = 0) -> bool:
    """Whether a positional argument is NumPy's `out`."""
    count = len(call.args) + receiver
    if isinstance(function, np.ufunc):
        return count > function.nin
    if not (getattr(function, "__module__", None) or "").startswith("numpy"):
        return False
    position = _position_of_out(function)
    if position is None or position >= count:
        return False
    given = call.args[position - receiver]
    return not (isinstance(given, ast.Constant) and given.value is None)


@functools.cache
def _position_of_out(function: Any) -> int | None:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    positional = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return positional.index("out") if "out" in positional else None


def _method_gives_out(typed: Typed, call: ast.Call) -> bool:
    from myia.adjoint.rules.methods import METHODS

    assert isinstance(call.func, ast.Attribute)
    owner = typed.type_of(call.func.value)
    if not isinstance(owner, (Array, AnyType)) or call.func.attr not in METHODS:
        return False
    return _gives_out(METHODS[call.func.attr], call, receiver=1)


def _is_ufunc(typed: Typed, node: ast.expr) -> bool:
    t = typed.type_of(node)
    return isinstance(t, Known) and isinstance(t.value, np.ufunc)


def _is_method(function: Any) -> bool:
    """`list.append` and the like, called as functions."""
    owner = getattr(function, "__objclass__", None)
    return owner in (list, dict, set, np.ndarray) and function.__name__ in _METHODS


def _check_callee(
    typed: Typed, operation: Operation, value: ast.expr, inference: Inference, checked: set[Typed]
) -> None:
    given = [typed.type_of(n) for n in ast.walk(value) if isinstance(n, ast.Name)]
    may_write = any(is_mutable(t) or t == ANY or isinstance(t, Instance) for t in given)
    if operation.kind in ("opaque", "inactive", "dynamic"):
        passed = [t.value for t in given if isinstance(t, Known)]
        called = [operation.function, *(passed if operation.function not in _ASKERS else [])]
        for function in called:
            _check_function(function, may_write, inference, checked)
    if operation.callee is None and operation.error is None:
        return
    if not may_write and not (
        isinstance(operation.function, FunctionType) and _sees_data(operation.function)
    ):
        return
    if operation.callee is not None:
        refuse_mutation(operation.callee, inference, checked)
    elif operation.error is not None:
        raise operation.error


_ASKERS = (isinstance, issubclass, hasattr, callable, type)
"""What takes a class or a function without calling it."""


def _check_function(function: Any, may_write: bool, inference: Inference, checked: set[Typed]) -> None:
    """A user's function that an inactive call calls, or passes on: it may only read what it is given."""
    if isinstance(function, type):
        function = vars(function).get("__init__")
    elif not isinstance(function, FunctionType):
        function = inspect.getattr_static(type(function), "__call__", None)
    if not isinstance(function, FunctionType) or _is_library(function):
        return
    if not may_write and not _sees_data(function):
        return
    try:
        program = inference.program_of(function)
    except MyiaError as error:
        raise error from None
    refuse_mutation(inference.infer(program, (ANY,) * len(program.arguments)), inference, checked)


def _is_library(function: FunctionType) -> bool:
    """NumPy's and the standard library's functions written in Python are taken to leave arguments alone."""
    return (function.__module__ or "").partition(".")[0] in {
        *sys.stdlib_module_names,
        "numpy",
        "scipy",
        "myia",
    }


def _writes_outside(code: CodeType) -> bool:
    """Whether a function assigns globals, or variables of an enclosing function."""
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            return True
        if instruction.opname in ("STORE_DEREF", "DELETE_DEREF") and instruction.argval in code.co_freevars:
            return True
    return any(_writes_outside(c) for c in code.co_consts if isinstance(c, CodeType))


def _sees_data(function: FunctionType) -> bool:
    """Whether a function, or one of the user's that it calls, reads an object with a state."""
    pending, seen = [function], set[FunctionType]()
    while pending:
        current = pending.pop()
        if current in seen:
            continue
        seen.add(current)
        if _is_library(current):
            continue
        if _writes_outside(current.__code__):
            return True
        cells = [cell.cell_contents for cell in current.__closure__ or () if _is_set(cell)]
        names = _names_of(current.__code__)
        for value in (*cells, *(current.__globals__[n] for n in names if n in current.__globals__)):
            if isinstance(value, FunctionType):
                pending.append(value)
            elif not isinstance(value, (int, float, complex, str, bytes, type(None), np.generic)):
                if not is_constant(value):
                    return True
    return False


def _names_of(code: CodeType) -> set[str]:
    inner = [c for c in code.co_consts if isinstance(c, CodeType)]
    return set(code.co_names).union(*map(_names_of, inner))


def _is_set(cell: CellType) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False


def _what(t: Type) -> str:
    match t:
        case Array():
            return "an array"
        case List():
            return "a list"
        case Dict():
            return "a dictionary"
    return "its object"


def _refuse(typed: Typed, at: ast.stmt, summary: str, remedy: str = "") -> NoReturn:
    raise UnsupportedMutation(
        summary,
        reason="writing into arrays, containers and objects is not differentiated yet",
        remedy=remedy
        or "build a new value instead, such as np.where, np.concatenate or a list comprehension",
        location=typed.program.source.location(at),
    )
