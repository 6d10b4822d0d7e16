"""The names emitted code sees: the runtime, and what the user's free names stand for."""

from __future__ import annotations

import ast
import builtins
import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from myia import runtime
from myia.parse.program import NO_DEFAULT, Program


@functools.cache
def operator_names() -> dict[int, str]:
    """The name of each function that the runtime's table stands for, by identity."""
    return {
        id(value): name for name, value in sorted(runtime.FACADE.items(), reverse=True) if callable(value)
    }


@dataclass
class Namespace:
    """The globals of one emitted module. Every object keeps the user's name unless two share one."""

    values: dict[str, Any] = field(default_factory=lambda: {"rt": runtime})
    reserved: set[str] = field(default_factory=lambda: {"rt", *dir(builtins)})

    def fresh(self, hint: str) -> str:
        name, count = hint, 1
        while name in self.reserved:
            count += 1
            name = f"{hint}_{count}"
        self.reserved.add(name)
        return name

    def bind(self, hint: str, value: Any) -> str:
        """A name for `value`: the one it has, or a new one like `hint`."""
        if getattr(builtins, hint, _MISSING) is value:
            return hint
        for name in (hint, *(f"{hint}__{k}" for k in range(2, 1000))):
            if name in self.values and self.values[name] is value:
                return name
            if name not in self.reserved:
                self.values[name] = value
                self.reserved.add(name)
                return name
        raise AssertionError(hint)

    def constant(self, path: str, program: Program, called: bool = False) -> ast.expr:
        """An expression for a dotted path of the user's; to call `np.tanh`, `rt.tanh` if the table has it."""
        value = program.constants[path]
        if path.startswith("rt.") and program.constants.get("rt") is runtime:
            return ast.parse(path, mode="eval").body
        name = operator_names().get(id(value))
        if (
            called
            and name is not None
            and runtime.FACADE[name] is value
            and getattr(builtins, path, None) is not value
        ):
            return ast.parse(f"rt.{name}", mode="eval").body
        base, *attributes = path.split(".")
        node: ast.expr = ast.Name(self.bind(base, program.constants[base]), ast.Load())
        for attribute in attributes:
            node = ast.Attribute(node, attribute, ast.Load())
        return node

    def load(self, program: Program) -> list[ast.stmt]:
        """Assignments that read the program's free data as it is now."""
        loads: list[ast.stmt] = []
        for name, origin in program.inputs.items():
            value: ast.expr
            if origin.cell is not None:
                cell = ast.Name(self.bind(f"{name}_cell", origin.cell), ast.Load())
                value = ast.Attribute(cell, "cell_contents", ast.Load())
            elif origin.name not in origin.names:  # a builtin that is data, such as Ellipsis
                value = ast.Name(self.bind(f"builtin_{name}", origin.load()), ast.Load())
            else:
                module = str(origin.names.get("__name__", "module")).rsplit(".", 1)[-1].strip("_")
                table = ast.Name(self.bind(f"{module}_globals", origin.names), ast.Load())
                value = ast.Subscript(table, ast.Constant(origin.name), ast.Load())
            loads.append(
                ast.copy_location(ast.Assign([ast.Name(name, ast.Store())], value), program.source.node)
            )
        return loads


@dataclass(frozen=True, eq=False)
class OutsideData:
    """What the functions of a gradient read that is not their own, apart from the outermost one's inputs.

    Calling it gives the names and values as they are now: globals and captured variables, attributes of
    modules, classes and functions, and defaults of parameters.
    """

    programs: list[Program]
    outermost: Program

    @functools.cached_property
    def places(self) -> list[tuple[str, Callable[[], Any]]]:
        found: dict[str, Callable[[], Any]] = {}
        for program in self.programs:
            if program is not self.outermost:
                found |= {name: origin.load for name, origin in program.inputs.items()}
            for parameter in program.parameters:
                if parameter.default is not NO_DEFAULT and not isinstance(parameter.default, _ATOMS):
                    name = f"the default of {parameter.name} in {program.name}"
                    found[name] = functools.partial(_itself, parameter.default)
            for node in ast.walk(program.source.node):
                if isinstance(node, ast.Attribute):
                    owner = program.constants.get(ast.unparse(node.value))
                    if isinstance(owner, (ModuleType, type, FunctionType)) and not _is_library(owner):
                        found[ast.unparse(node)] = functools.partial(getattr, owner, node.attr, None)
        return list(found.items())

    def __call__(self) -> list[tuple[str, Any]]:
        return [(name, load()) for name, load in self.places]


_ATOMS = (int, float, complex, str, bytes, type(None), bool, np.generic, FunctionType, type, ModuleType)


def _itself(value: Any) -> Any:
    return value


def _is_library(owner: Any) -> bool:
    """Whether a module, class or function is NumPy's, the standard library's or ours."""
    name = owner.__name__ if isinstance(owner, ModuleType) else getattr(owner, "__module__", None) or ""
    return name.partition(".")[0] in {*sys.stdlib_module_names, "numpy", "scipy", "myia"} - {"__main__"}


_MISSING = object()
