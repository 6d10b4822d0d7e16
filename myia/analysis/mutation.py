"""Refuse the writes in place that cannot be followed.

Most can (`alias.py`, `adjoint/store.py`). Left are those that a gradient may not make, into globals and
into the variables of an enclosing function that is no part of the program; those that Myia does not see
through, in functions it does not compile; and those that change what types say of an array.
"""

from __future__ import annotations

import ast
import dis
import inspect
import sys
from types import CellType, CodeType, FunctionType
from typing import Any, NoReturn

import numpy as np

import myia.runtime as rt
from myia.analysis.alias import OUTSIDE, AliasAnalysis, Aliases
from myia.errors import MyiaError, UnsupportedMutation
from myia.parse.expressions import position_of_out
from myia.parse.infer import Inference
from myia.parse.mutating import METHODS_OF, NEVER, RANDOM, is_update
from myia.parse.program import names_read, statements_of
from myia.parse.scope import is_constant
from myia.parse.typed import Operation, Typed
from myia.parse.types import ANY, AnyType, Array, Dict, Instance, Known, List, Type, is_mutable

_MEMORY = frozenset({"base", "flags", "data", "ctypes", "__array_interface__"})

_TRACE = "a gradient must leave no trace but its result"


def refuse_mutation(typed: Typed, inference: Inference, analysis: AliasAnalysis, checked: set[Typed]) -> None:
    """Raise UnsupportedMutation, with the place, for the first write in a program that cannot be followed."""
    if typed in checked:
        return
    checked.add(typed)
    _refuse_inputs(typed, analysis.of(typed))
    for s in statements_of(typed.program.body):
        value = s.value if isinstance(s, (ast.Assign, ast.Expr)) else None
        operation = typed.operations.get(s)
        if operation is not None and operation.kind == "mutator" and operation.function[0] == "setattr":
            _check_attribute(typed, s, typed.type_of(operation.operands["x"]))
        if isinstance(s, ast.Assign) and isinstance(s.targets[0], ast.Attribute):
            owner = typed.type_of(s.targets[0].value)
            if isinstance(owner, Known):
                _refuse(
                    typed,
                    s,
                    f"an attribute of {getattr(owner.value, '__name__', 'a function')} is written",
                    "a class, a module or a function belongs to all who use it: " + _TRACE,
                    "keep the value in a variable or in an object of the function's own",
                )
        if isinstance(value, ast.Call):
            _check_call(typed, s, value)
        elif isinstance(value, ast.Attribute) and value.attr == "__dict__" and analysis.of(typed).writers:
            _refuse(
                typed,
                s,
                "the dictionary of an object's attributes is taken",
                "what is written there is an attribute too, which is not followed",
                "use the attributes themselves",
            )
        elif isinstance(value, ast.Attribute) and value.attr in _MEMORY and _is_array(typed, value.value):
            _refuse(
                typed,
                s,
                f"the memory of an array is looked at, through .{value.attr}",
                "an array of the runtime stands for the one that plain Python would have here",
                "decide by what the program knows without it",
            )
        elif isinstance(value, ast.Attribute) and value.attr in METHODS_OF["any"] | NEVER:
            owner = typed.type_of(value.value)
            if is_mutable(owner) or isinstance(owner, AnyType):
                _refuse(
                    typed,
                    s,
                    f"the method .{value.attr}, which writes into {_what(owner)}, is taken as a value",
                    "where it is called, and on what, is known only when the program runs",
                    "call the method where it is taken",
                )
        if operation is not None and value is not None:
            _check_callee(typed, operation, value, inference, analysis, checked)


def refuse_unseen_writes(typed: Typed, analysis: AliasAnalysis) -> None:
    """Raise UnsupportedMutation for a function, met only when the program runs, that writes in place."""
    written = analysis.summary(typed).written
    if written:
        _refuse(
            typed,
            typed.program.source.node,
            f"{typed.program.name} writes into its argument {min(written)!r}",
            "that it is called here is known only when the program runs, and nothing was prepared for that",
            "call it by its name",
        )


def _refuse_inputs(typed: Typed, aliases: Aliases) -> None:
    """Globals, attributes of classes, defaults and variables of an enclosing function belong to others."""
    outside = aliases.class_of(OUTSIDE)
    for s, classes in aliases.writers.items():
        if outside not in classes:
            continue
        # The write's own operands first: they are what the user sees there.
        read = names_read(s.value) | names_read(s) if isinstance(s, (ast.Assign, ast.Expr)) else set()
        named = sorted(n for n in typed.program.inputs if aliases.class_of(n) == outside)
        name = next((n for n in named if n in read), None)
        if name is None and len(named) == 1:
            _refuse(
                typed,
                s,
                f"what is written in place here may be or hold {named[0]!r}, which is not the function's own",
                _TRACE,
                f"pass {named[0]} as an argument, or use a copy of it",
            )
        _refuse(
            typed,
            s,
            f"{(name and repr(name)) or 'an object'}, which is not the function's own, is written in place",
            _TRACE,
            f"make it in the function, or pass {name or 'it'} as an argument",
        )


def _check_call(typed: Typed, s: ast.stmt, call: ast.Call) -> None:
    if not isinstance(call.func, ast.Attribute) or ast.unparse(call.func) in typed.program.constants:
        function = typed.program.constants.get(ast.unparse(call.func))
        operation = typed.operations.get(s)
        if operation is not None and operation.kind == "opaque" and is_update(function):
            _refuse(
                typed,
                s,
                "an object of a class of its own is updated in place",
                "what its operator does is not followed",
                "write x = x + y, or call a method",
            )
        if getattr(function, "__name__", "") == "shuffle":
            _refuse(typed, s, "shuffle writes in place", "in which order is not recorded", _PERMUTE)
        return
    owner, method = typed.type_of(call.func.value), call.func.attr
    if method in RANDOM and (len(call.args) > RANDOM[method] or _names_out(call)):
        _refuse(typed, s, "the random numbers are written into an array given for out", _TRACE, "assign them")
    if method == "shuffle":
        _refuse(typed, s, ".shuffle() writes in place", "in which order is not recorded", _PERMUTE)
    if isinstance(owner, (Array, AnyType)) and _method_gives_out(call):
        _refuse(
            typed,
            s,
            f"the result of the method .{method} is written into an array given for out",
            "only functions are followed there",
            f"write y[...] = x.{method}(...)",
        )
    if method in NEVER and (is_mutable(owner) or isinstance(owner, AnyType)):
        _refuse(
            typed,
            s,
            f".{method}() changes {_what(owner)} in place",
            "it changes more than elements, or is an operator's own method",
            "make a new value, or use the operator",
        )


def _check_attribute(typed: Typed, s: ast.stmt, owner: Type) -> None:
    if isinstance(owner, (Array, List, Dict)):
        _refuse(
            typed,
            s,
            f"an attribute of {_what(owner)} is written",
            "it changes what types say of it, such as its shape, or elements by another way than an index",
            "make a new value, such as x.reshape(...), or write x[...] = y",
        )


_PERMUTE = "draw a permutation before, and index with it"


def _names_out(call: ast.Call) -> bool:
    return any(
        k.arg == "out" and not (isinstance(k.value, ast.Constant) and k.value.value is None)
        for k in call.keywords
    )


def _method_gives_out(call: ast.Call) -> bool:
    from myia.adjoint.rules.methods import METHODS

    assert isinstance(call.func, ast.Attribute)
    if call.func.attr not in METHODS:
        return False
    if _names_out(call):
        return True
    position = position_of_out(METHODS[call.func.attr])
    if position is None or position > len(call.args):
        return False
    given = call.args[position - 1]
    return not (isinstance(given, ast.Constant) and given.value is None)


def _check_callee(
    typed: Typed,
    operation: Operation,
    value: ast.expr,
    inference: Inference,
    analysis: AliasAnalysis,
    checked: set[Typed],
) -> None:
    given = [typed.type_of(n) for n in ast.walk(value) if isinstance(n, ast.Name)]
    may_write = any(is_mutable(t) or t == ANY or isinstance(t, Instance) for t in given)
    if operation.kind in ("opaque", "inactive", "dynamic"):
        passed = [t.value for t in given if isinstance(t, Known)]
        called = [operation.function, *(passed if operation.function not in _ASKERS else [])]
        for function in called:
            _check_function(typed, function, value, may_write, inference, analysis, checked)
    if operation.callee is not None:
        refuse_mutation(operation.callee, inference, analysis, checked)
    elif operation.error is not None and (
        may_write or (isinstance(operation.function, FunctionType) and _sees_data(operation.function))
    ):
        raise operation.error


_ASKERS = (isinstance, issubclass, hasattr, callable, type, rt.new)
"""What takes a class or a function without calling it."""


def _check_function(
    typed: Typed,
    function: Any,
    at: ast.expr,
    may_write: bool,
    inference: Inference,
    analysis: AliasAnalysis,
    checked: set[Typed],
) -> None:
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
    called = inference.infer(program, (ANY,) * len(program.arguments))
    refuse_mutation(called, inference, analysis, checked)
    written = analysis.summary(called).written
    if written and names_read(at):
        _refuse(
            typed,
            at,
            f"{function.__name__} writes into its argument {min(written)!r}",
            "it is called by code that Myia does not follow, or is passed on to it",
            "call it by its name",
        )


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


def _is_array(typed: Typed, owner: ast.expr) -> bool:
    return isinstance(typed.type_of(owner), Array)


def _what(t: Type) -> str:
    match t:
        case Array():
            return "an array"
        case List():
            return "a list"
        case Dict():
            return "a dictionary"
    return "its object"


def _refuse(typed: Typed, at: ast.AST, summary: str, reason: str, remedy: str) -> NoReturn:
    raise UnsupportedMutation(
        summary, reason=reason, remedy=remedy, location=typed.program.source.location(at)
    )
