"""A program with the types of its variables and the meaning of its operations."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any

from myia.adjoint.template import Rule
from myia.errors import MyiaError
from myia.parse.program import Program
from myia.parse.types import ANY, Type, constant_type

CLOSURE = "()"
"""The operand under which a function that was passed in brings its captured variables."""

EFFECT = "called for its effect"
"""`why` of a call that only the run knows, and whose result is dropped."""


@dataclass(frozen=True, eq=False)
class Operation:
    """What the right-hand side of an assignment does.

    `kind`: "alias", "rule", "tuple", "list", "dict", "user" (a call of a program), "dynamic" (a call
    whose function only the run knows), "inactive" (a result without derivative), "opaque" (nothing is
    known of its derivative; `why` says so). `operands` binds parameters to expressions.

    What writes in place: "store" (`x[i] = y` into an array), "update" (`x op= y` and `x[i] op= y` of
    an array, `function` is the operator), "mutator" (anything else; `function` holds the kind and what
    is not an operand, as `rt.mutate` takes them).
    """

    kind: str
    type: Type
    function: Any = None
    rule: Rule | None = None
    operands: dict[str, ast.expr] = field(default_factory=dict)
    program: Program | None = None
    callee: Typed | None = None
    why: str = ""
    error: MyiaError | None = None


@dataclass(eq=False)
class Typed:
    """A program with the types of its variables and the meaning of its operations."""

    program: Program
    arguments: tuple[Type, ...]
    types: dict[str, Type]
    result: Type
    operations: dict[ast.stmt, Operation] = field(default_factory=dict)
    unsure: frozenset[str] = frozenset()
    """Containers whose contents types cannot tell, because they change under several names."""

    def type_of(self, atom: ast.expr) -> Type:
        if isinstance(atom, ast.Name):
            return self.types.get(atom.id, ANY)
        if isinstance(atom, ast.Constant):
            return constant_type(atom.value)
        return ANY
