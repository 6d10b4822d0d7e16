"""From a live function to its syntax tree: files, notebooks, lambdas, methods.

The whole file is parsed, so that every node keeps its true line and column and needs no shifting.
"""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import os
import time
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from types import CodeType, FunctionType
from typing import Any

from myia.errors import Location, SourceUnavailable, UnsupportedSyntax

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True, eq=False)
class Source:
    """A function's syntax tree and where it stands."""

    node: FunctionNode
    filename: str
    name: str

    def location(self, node: ast.AST) -> Location:
        """Where `node` stands, with columns in characters. Only its first line is underlined."""
        line = getattr(node, "lineno", self.node.lineno)
        if not hasattr(node, "col_offset"):
            return Location(self.filename, line)
        text = linecache.getline(self.filename, line).encode()
        start = len(text[: node.col_offset].decode(errors="replace"))
        stop = None
        if getattr(node, "end_lineno", None) == line:
            end: int = node.end_col_offset  # type: ignore[attr-defined]
            stop = len(text[:end].decode(errors="replace"))
        return Location(self.filename, line, start, stop)


def source_of(function: FunctionType) -> Source:
    """Find the definition of `function`.

    Raises SourceUnavailable for a function typed into an interpreter or made by `exec`, and for one
    whose file no longer holds a definition of this name at this line.
    """
    code = function.__code__
    lines = linecache.getlines(code.co_filename, function.__globals__)
    if not lines:
        raise _unavailable(function, f"the text of {code.co_filename} cannot be read")
    try:
        definitions = _definitions(code.co_filename, "".join(lines))
    except SyntaxError as error:
        raise _unavailable(function, f"{code.co_filename} does not parse: {error}") from error
    if _changed_since_import(function):
        compiled = _codes(compile("".join(lines), code.co_filename, "exec", dont_inherit=True))
        if not any(
            _same_code(found, code) for found in compiled.get((code.co_name, code.co_firstlineno), [])
        ):
            raise _unavailable(function, f"{code.co_filename} was edited after it was imported")
    candidates = definitions.get((code.co_name, code.co_firstlineno), [])
    node = candidates[0] if len(candidates) == 1 else _matching(candidates, code)
    if node is None:
        raise _unavailable(
            function, f"{code.co_filename}:{code.co_firstlineno} does not define it (has the file changed?)"
        )
    return Source(node, code.co_filename, "lambda" if isinstance(node, ast.Lambda) else code.co_name)


@functools.lru_cache(maxsize=64)
def _definitions(filename: str, text: str) -> dict[tuple[str, int], list[FunctionNode]]:
    """Every function of a file, by name and first line (that of the first decorator)."""
    found: dict[tuple[str, int], list[FunctionNode]] = {}
    for node in ast.walk(ast.parse(text, filename)):
        if isinstance(node, ast.Lambda):
            found.setdefault(("<lambda>", node.lineno), []).append(node)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            found.setdefault((node.name, first), []).append(node)
    return found


_IMPORTED_AT = time.time()


def _changed_since_import(function: FunctionType) -> bool:
    """Whether the file is newer than this module: then it may no longer hold what was imported."""
    if not isinstance(function.__globals__.get("__loader__"), SourceFileLoader):
        return False  # a notebook's cell, or a loader that rewrites what it reads
    try:
        return os.stat(function.__code__.co_filename).st_mtime > _IMPORTED_AT
    except OSError:
        return False


def _codes(code: CodeType) -> dict[tuple[str, int], list[CodeType]]:
    """Every code object inside another, by name and first line."""
    found: dict[tuple[str, int], list[CodeType]] = {}
    pending = [code]
    while pending:
        current = pending.pop()
        found.setdefault((current.co_name, current.co_firstlineno), []).append(current)
        pending += [constant for constant in current.co_consts if isinstance(constant, CodeType)]
    return found


def _same_code(a: CodeType, b: CodeType) -> bool:
    def constants(code: CodeType) -> list[str]:
        return [repr(c) for c in code.co_consts if not isinstance(c, CodeType)]

    def inner(code: CodeType) -> list[CodeType]:
        return [c for c in code.co_consts if isinstance(c, CodeType)]

    return (
        (a.co_code, a.co_names, constants(a)) == (b.co_code, b.co_names, constants(b))
        and len(inner(a)) == len(inner(b))
        and all(map(_same_code, inner(a), inner(b)))
    )


def _matching(candidates: list[FunctionNode], code: CodeType) -> FunctionNode | None:
    """Of several functions on one line, the one whose body holds the code's positions."""
    columns = {
        (line, column)
        for line, _, column, _ in code.co_positions()
        if line is not None and column is not None and (line, column) != (code.co_firstlineno, 0)
    }
    for node in candidates:
        body = node.body if isinstance(node, ast.Lambda) else node.body[0]
        if not isinstance(body, list) and (body.lineno, body.col_offset) in columns:
            parameters = tuple(argument.arg for argument in all_arguments(node.args))
            if parameters == code.co_varnames[: len(parameters)] and _within(node, columns):
                return node
    return None


def _within(node: FunctionNode, columns: set[tuple[int, int]]) -> bool:
    start = (node.lineno, node.col_offset)
    end = (node.end_lineno or 0, node.end_col_offset or 0)
    return all(start <= position <= end for position in columns)


def all_arguments(arguments: ast.arguments) -> list[ast.arg]:
    """The parameters in the order of a code object's variables."""
    found = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    if arguments.vararg:
        found.append(arguments.vararg)
    if arguments.kwarg:
        found.append(arguments.kwarg)
    return found


def _unavailable(function: Any, why: str) -> SourceUnavailable:
    name = getattr(function, "__qualname__", repr(function))
    return SourceUnavailable(
        f"the source of {name} is not to be had",
        reason=f"a gradient is made from a function's source, and {why}",
        remedy="define the function in a file or a notebook cell",
        location=None,
    )


def python_function(function: Any) -> tuple[FunctionType, tuple[Any, ...]]:
    """The plain function behind a callable, and the arguments already bound to it (`self`).

    Raises SourceUnavailable for anything that is not written in Python.
    """
    if isinstance(function, FunctionType):
        return function, ()
    if inspect.ismethod(function):
        inner, bound = python_function(function.__func__)
        return inner, (function.__self__, *bound)
    if type(function).__module__ == "myia.api":
        raise UnsupportedSyntax(
            "a gradient inside a differentiated function",
            reason="it is a second derivative, and higher derivatives are not supported yet",
            remedy="write the inner gradient as a function of its own",
        )
    call = inspect.getattr_static(type(function), "__call__", None)
    if isinstance(call, FunctionType) and not isinstance(function, type):
        return call, (function,)
    raise _unavailable(function, "it is not a Python function")
