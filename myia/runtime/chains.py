"""Chains: functions of elementwise operations, which the runtime runs in one pass over memory.

    @rt.fused
    def chain(x, g):
        a = rt.multiply(x, 0.5)
        b = rt.tanh(a)
        c = rt.times(g, b)
        return b, c

Block by block all operations run on elements that are in the cache, and what is not returned is never in
memory. The function is ordinary Python and says what is computed: the results are the same to the last bit,
and where operands do not fit one pass it is what runs.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import linecache
import textwrap
from collections.abc import Callable
from types import CodeType, FunctionType, ModuleType
from typing import Any, TypeVar

from myia import _runtime

__all__ = ["fused"]

Function = TypeVar("Function", bound=Callable[..., Any])


def fused(function: Function) -> Function:
    """The function as a chain; the function itself if it is not one that a chain can be made of.

    It takes its arguments by position, and `reuse=`: a tuple of those that are dead in the caller, whose
    memory results may take. What fits: `name = rt.operation(...)` with names and numbers as operands,
    `rt.add_into(...)` and its like to a parameter, a last `name = rt.sum(...)`, and `return` of names.
    """
    description = _described(function)
    if description is None:
        return function
    try:
        return _runtime.Chain(function, *description)  # type: ignore[return-value]
    except (TypeError, ValueError):
        return function


Description = tuple[int, tuple[Any, ...], tuple[Any, ...], Any]
"""What `_runtime.Chain` is told: parameters, constants, operations, results."""


def _described(function: Callable[..., Any]) -> Description | None:
    if not isinstance(function, FunctionType) or function.__closure__ or function.__defaults__:
        return None
    definition = _definition(function)
    if definition is None:
        return None
    try:
        return _Reader(function, definition).description()
    except _NoChainError:
        return None


def _definition(function: FunctionType) -> ast.FunctionDef | None:
    """The definition in the source, if that is what the function was compiled from."""
    code = function.__code__
    lines = linecache.getlines(code.co_filename, function.__globals__)[code.co_firstlineno - 1 :]
    for block_of in (_indented, inspect.getblock):
        try:
            tree = ast.parse(textwrap.dedent("".join(block_of(lines))))
        except (SyntaxError, IndentationError, IndexError):
            continue
        match tree.body:
            case [ast.FunctionDef() as definition] if definition.name == function.__name__:
                if _compiles_to(definition, code):
                    return definition
    return None


def _indented(lines: list[str]) -> list[str]:
    """The decorators, the line with `def`, and the lines up to one that is empty or no deeper.

    That is the whole of an emitted function, and found much faster than by `inspect.getblock`.
    """
    start = _depth(lines[0])
    head = list(itertools.takewhile(lambda line: not line.lstrip().startswith("def "), lines))
    body = itertools.takewhile(lambda line: line.strip() and _depth(line) > start, lines[len(head) + 1 :])
    return [*head, lines[len(head)], *body]


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def _compiles_to(definition: ast.FunctionDef, code: CodeType) -> bool:
    """Whether the code is that of the definition: lines that were changed since say something else."""
    undecorated = ast.FunctionDef(**{**dict(ast.iter_fields(definition)), "decorator_list": []})
    imports = [ast.Import([ast.alias(name)]) for name in code.co_names if name.isidentifier()]
    # Attributes of what the module imports are loaded by another instruction.
    for before in ([], imports):
        module = ast.fix_missing_locations(ast.Module([*before, undecorated], []))
        compiled = compile(module, code.co_filename, "exec", dont_inherit=True)
        if any(isinstance(c, CodeType) and _text(c) == _text(code) for c in compiled.co_consts):
            return True
    return False


def _text(code: CodeType) -> tuple[Any, ...]:
    kind = code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS | inspect.CO_GENERATOR)
    # Not the values of the constants alone: 0.0 is -0.0, and 2 is 2.0.
    return (
        code.co_code, repr(code.co_consts), code.co_names, code.co_varnames, code.co_argcount,
        code.co_kwonlyargcount, kind,
    )  # fmt: skip


class _NoChainError(Exception):
    """The function says something that chains do not do."""


class _Reader:
    """Names to slots: parameters, then constants, then the values of the operations in order."""

    def __init__(self, function: FunctionType, definition: ast.FunctionDef) -> None:
        self.globals = function.__globals__
        self.body = definition.body
        arguments = definition.args
        if arguments.vararg or arguments.kwonlyargs or arguments.kwarg or arguments.kw_defaults:
            raise _NoChainError
        self.parameters = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
        self.constants: list[Any] = []
        self.known: dict[str, int] = {}

    def description(self) -> Description:
        body = self.body
        if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            body = body[1:]  # the docstring
        last = body[-1] if body else None
        results = last.value if isinstance(last, ast.Return) else None
        calls = [self.call(s) for s in (body[:-1] if isinstance(last, ast.Return) else body)]
        for _, call in calls:
            for operand in call.args:
                self.collect(operand)
        first = len(self.parameters) + len(self.constants)
        self.known = {name: slot for slot, name in enumerate(self.parameters)}
        operations = []
        for number, (target, call) in enumerate(calls):
            operations.append((self.operation(call.func), *map(self.slot, call.args)))
            if target is not None:
                # A name that is bound twice would be two values; the compiler never writes that.
                if target in self.known:
                    raise _NoChainError
                self.known[target] = first + number
        return len(self.parameters), tuple(self.constants), tuple(operations), self.returned(results)

    def call(self, s: ast.stmt) -> tuple[str | None, ast.Call]:
        match s:
            case ast.Assign([ast.Name(target)], ast.Call(_, _, []) as call):
                return target, call
            case ast.Expr(ast.Call(_, _, []) as call):
                return None, call
        raise _NoChainError

    def operation(self, node: ast.expr) -> Any:
        """The operation that `rt.name` is; None for the sum."""
        match node:
            case ast.Attribute(ast.Name(module), name):
                found = self.globals.get(module)
                if isinstance(found, ModuleType) and found.__name__ == "myia.runtime":
                    operation = getattr(found, name, None)
                    return None if operation is _runtime.sum else operation
        raise _NoChainError

    def collect(self, operand: ast.expr) -> None:
        value = _number(operand)
        if value is not None and not any(_identical(value, c) for c in self.constants):
            self.constants.append(value)

    def slot(self, operand: ast.expr) -> int:
        if isinstance(operand, ast.Name):
            if operand.id not in self.known:
                raise _NoChainError
            return self.known[operand.id]
        value = _number(operand)
        if value is None:
            raise _NoChainError
        same = (k for k, c in enumerate(self.constants) if _identical(value, c))
        return len(self.parameters) + next(same)

    def returned(self, node: ast.expr | None) -> Any:
        match node:
            case None | ast.Constant(None):
                return None
            case ast.Tuple(items):
                return tuple(map(self.slot, items))
            case ast.Name():
                return self.slot(node)
        raise _NoChainError


def _number(node: ast.expr) -> Any:
    """The number that a literal is; None for anything else."""
    match node:
        case ast.Constant(float() | int() as value) if type(value) is not bool:
            return value
        case ast.UnaryOp(ast.USub(), ast.Constant(float() | int() as value)) if type(value) is not bool:
            return -value
    return None


def _identical(a: Any, b: Any) -> bool:
    """2 is not 2.0, and 0.0 is not -0.0."""
    return type(a) is type(b) and repr(a) == repr(b)
