"""Notice that something the compiler resolved has changed: one quick function for all of it.

A callable, module or class must be the same object; data must have the same type, for its value is
read anew at each call. The conditions are joined into one expression, since they run at every call.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

from myia.parse.infer import Inference
from myia.parse.program import Program
from myia.parse.scope import MISSING, Origin, is_constant
from myia.parse.types import Type, type_of


def guard(inference: Inference) -> Callable[[], bool]:
    """A function that tells whether all that `inference` resolved is still as it was."""
    conditions = _Conditions()
    for (cls, name), method in inference.methods.items():
        conditions.same(f"getattr({conditions.bind(cls)}, {name!r}, MISSING)", method)
    for function, program in inference.programs.items():
        if isinstance(function, FunctionType):
            conditions.program(function, program)
    return conditions.function()


@dataclass
class _Conditions:
    names: dict[str, Any] = field(default_factory=lambda: {"MISSING": MISSING, "type_of": type_of})
    terms: dict[str, None] = field(default_factory=dict)

    def bind(self, value: Any) -> str:
        for name, bound in self.names.items():
            if bound is value:
                return name
        name = f"v{len(self.names)}"
        self.names[name] = value
        return name

    def same(self, expression: str, value: Any) -> None:
        self.terms[f"{expression} is {self.bind(value)}"] = None

    def of_type(self, expression: str, expected: Type) -> None:
        self.terms[f"type_of({expression}) == {self.bind(expected)}"] = None

    def unchanged(self, expression: str, value: Any) -> None:
        if is_constant(value):
            self.same(expression, value)
        else:
            self.of_type(expression, type_of(value))

    def program(self, function: FunctionType, program: Program) -> None:
        self.same(f"{self.bind(function)}.__code__", function.__code__)
        if function.__defaults__:
            self.same(f"{self.bind(function)}.__defaults__", function.__defaults__)
        for name, value in (function.__kwdefaults__ or {}).items():
            self.same(f"{self.bind(function)}.__kwdefaults__.get({name!r}, MISSING)", value)
        for origin in program.origins.values():
            self.unchanged(self.load(origin), origin.load())
        for path, value in program.constants.items():
            base, *attributes = path.split(".")
            if attributes and base in program.origins and _may_change(program.constants[base]):
                expression = self.load(program.origins[base])
                for attribute in attributes:
                    expression = f"getattr({expression}, {attribute!r}, MISSING)"
                self.unchanged(expression, value)

    def load(self, origin: Origin) -> str:
        """An expression for the present value of a free name."""
        if origin.cell is None and origin.name in origin.names:
            return f"{self.bind(origin.names)}.get({origin.name!r}, MISSING)"
        return f"{self.bind(origin)}.load()"

    def function(self) -> Callable[[], bool]:
        body = " and ".join(self.terms) or "True"
        made: Callable[[], bool] = eval(f"lambda: {body}", self.names)  # noqa: S307 - our own text
        return made


def _may_change(owner: Any) -> bool:
    """Whether attributes of a module or class are checked: not those of NumPy and the standard library."""
    name = owner.__module__ if isinstance(owner, type) else getattr(owner, "__name__", "")
    return name.partition(".")[0] not in {*sys.stdlib_module_names, "numpy", "scipy"}
