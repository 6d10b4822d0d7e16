"""Names in the normalizer: fresh ones, the user's, and what the free ones stand for."""

from __future__ import annotations

import ast
import builtins
import keyword
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from myia.errors import UnsupportedMutation, UnsupportedSyntax
from myia.parse.program import Program
from myia.parse.scope import MISSING, Origin, Scope, is_constant, static_attribute
from myia.parse.source import Source
from myia.parse.support import advice_for
from myia.parse.trees import hint_for, load, placed

RESERVED = frozenset({"rt", *dir(builtins), *keyword.kwlist})
"""Names that generated variables never take."""

EMITTED = frozenset(
    {
        "rt", "np", "math", "default", "range", "reversed", "float", "len", "abs", "min", "max", "sum",
        "bool", "int", "isinstance", "tuple", "list", "dict", "set", "zip",
    }
)  # fmt: skip
EMITTED_ENDINGS = ("_forward", "_backward", "_globals", "_cell", "_grad")
"""Names that emitted code uses itself: a local variable of such a name gets another."""


@dataclass
class Names(ABC):
    """The state of normalizing one function: what has been emitted, and what its names stand for."""

    source: Source
    scope: Scope
    function: Any = None
    parent: Names | None = None

    out: list[ast.stmt] = field(default_factory=list)
    constants: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, Origin] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    nested: dict[str, Program] = field(default_factory=dict)
    captures: list[str] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    locals: set[str] = field(default_factory=set)
    rebound: set[str] = field(default_factory=set)
    calls_itself: bool = False
    loop_depth: int = 0

    # -- the function as a whole ------------------------------------------------------------------
    # -- refusing ---------------------------------------------------------------------------------

    def check_supported(self, body: list[ast.stmt]) -> None:
        """Refuse the first node, in reading order, that is not in the table of supported syntax."""
        for statement in body:
            refused = [
                n for n in ast.walk(statement) if isinstance(n, (ast.expr, ast.stmt)) and advice_for(n)
            ]
            if refused:
                raise self.refusal(min(refused, key=lambda n: (n.lineno, n.col_offset)))

    def refusal(self, node: ast.AST) -> UnsupportedSyntax:
        advice = advice_for(node)
        assert advice is not None
        place = self.source.location(node)
        return UnsupportedSyntax(advice.summary, reason=advice.reason, remedy=advice.remedy, location=place)

    def unsupported(self, node: ast.AST, summary: str, reason: str, remedy: str) -> UnsupportedSyntax:
        return UnsupportedSyntax(summary, reason=reason, remedy=remedy, location=self.source.location(node))

    def mutation(self, node: ast.AST, what: str, reason: str = "", remedy: str = "") -> UnsupportedMutation:
        return UnsupportedMutation(
            what,
            reason=reason or "a gradient must leave no trace but its result",
            remedy=remedy or "keep what changes in a variable, an array or an object of the function's own",
            location=self.source.location(node),
        )

    # -- names ------------------------------------------------------------------------------------

    def fresh(self, hint: str) -> str:
        """A name like `hint` that nothing uses yet."""
        name, count = hint, 1
        while name in self.used:
            count += 1
            name = f"{hint}_{count}"
        self.used.add(name)
        return name

    def fresh_local(self, hint: str) -> str:
        """A fresh name that statements still to be normalized will use."""
        name = self.fresh(hint)
        self.locals.add(name)
        return name

    def name(self, node: ast.Name) -> ast.expr:
        """A name read by the user: a local, a captured variable, a constant or an input."""
        name = self.renamed.get(node.id, node.id)
        if name in self.locals or node.id in self.renamed:
            if node.id in self.rebound:
                return self.assign(self.fresh(f"{name}_before"), load(name, node), node)
            return load(name, node)
        return self.free_name(node)

    def free_name(self, node: ast.Name) -> ast.expr:
        name = node.id
        if self.parent is not None and (owner := self.enclosing_owner(name)) is not None:
            return self.capture(name, owner, node)
        if name in self.constants or name in self.inputs:
            return load(name, node)
        origin = self.scope.origin(name)
        value = origin.load()
        if value is MISSING:
            raise self.unsupported(
                node,
                f"the name {name!r} is not defined",
                "it is neither a local, a global nor a builtin",
                "define it",
            )
        self.origins[name] = origin
        if is_constant(value):
            self.constants[name] = value
        else:
            self.inputs[name] = origin
        return load(name, node)

    def enclosing_owner(self, name: str) -> Names | None:
        """The enclosing function that has `name` as a variable."""
        level = self.parent
        while level is not None:
            if level.renamed.get(name, name) in level.locals or name in level.renamed:
                return level
            level = level.parent
        return None

    def capture(self, name: str, owner: Names, node: ast.Name) -> ast.expr:
        variable = owner.renamed.get(name, name)
        if variable in owner.nested:
            self.nested[variable] = owner.nested[variable]
            for captured in owner.nested[variable].captures:
                self.add_capture(captured)
            self.add_capture(variable)
        elif self.own_name() == name and owner is self.parent:
            self.calls_itself = True
            self.add_capture(variable)
        elif owner.is_nested_function(name):
            raise self.unsupported(
                node,
                f"the nested function {name!r} is used before its definition is complete",
                "nested functions that refer to each other are not supported yet",
                f"define {name} at the top level of the module",
            )
        else:
            self.add_capture(variable)
        level = self.parent
        while level is not owner and level is not None:
            level.capture(name, owner, node)
            level = level.parent
        return load(variable, node)

    def add_capture(self, variable: str) -> None:
        if variable not in self.captures:
            self.captures.append(variable)

    def own_name(self) -> str:
        return getattr(self.source.node, "name", "")

    def is_nested_function(self, name: str) -> bool:
        node = self.source.node
        body = node.body if isinstance(node.body, list) else []
        return any(isinstance(n, ast.FunctionDef) and n.name == name for s in body for n in ast.walk(s))

    def constant_path(self, node: ast.expr) -> tuple[str, Any] | None:
        """`np.linalg.norm` -> its dotted path and object, if it can be resolved now."""
        if isinstance(node, ast.Name):
            if node.id in self.locals or node.id in self.renamed or self.enclosing_owner(node.id):
                return None
            self.free_name(node)
            return (node.id, self.constants[node.id]) if node.id in self.constants else None
        if isinstance(node, ast.Attribute):
            base = self.constant_path(node.value)
            if base is None or not isinstance(base[1], (ModuleType, type)):
                return None
            path = f"{base[0]}.{node.attr}"
            if path not in self.constants:
                value = static_attribute(base[1], node.attr)
                if value is MISSING:
                    raise self.unsupported(
                        node,
                        f"{base[0]} has no attribute {node.attr!r}",
                        "it was looked up while compiling",
                        "check the spelling",
                    )
                self.constants[path] = value
            return path, self.constants[path]
        return None

    def builtin(self, name: str, at: ast.AST) -> ast.expr:
        """A builtin under its own name, or the runtime's name for it where the user shadows it."""
        if name in self.locals or self.scope.origin(name).load() is not getattr(builtins, name):
            return self.runtime(f"builtin_{name}", at)
        self.constants[name] = getattr(builtins, name)
        self.origins[name] = self.scope.origin(name)
        return load(name, at)

    def runtime(self, name: str, at: ast.AST) -> ast.expr:
        """`rt.name`."""
        from myia import runtime

        self.constants["rt"] = runtime
        self.constants[f"rt.{name}"] = getattr(runtime, name)
        return placed(ast.Attribute(load("rt", at), name, ast.Load()), at)

    # -- emitting ---------------------------------------------------------------------------------

    def assign(self, target: str, value: ast.expr, at: ast.AST) -> ast.Name:
        self.out.append(placed(ast.Assign([placed(ast.Name(target, ast.Store()), at)], value), at))
        return load(target, at)

    def temporary(self, node: ast.expr) -> ast.expr:
        return self.assign(self.fresh(hint_for(node)), self.operation(node), node)

    @contextmanager
    def block(self) -> Iterator[list[ast.stmt]]:
        """Collect the statements emitted inside."""
        outer, self.out = self.out, []
        try:
            yield self.out
        finally:
            self.out = outer

    @contextmanager
    def rebinding(self, statement: ast.AST) -> Iterator[None]:
        """Names that a walrus rebinds within the statement are copied when they are read."""
        walrus = {
            n.target.id
            for n in ast.walk(statement)
            if isinstance(n, ast.NamedExpr) and isinstance(n.target, ast.Name)
        }
        outer, self.rebound = self.rebound, walrus
        try:
            yield
        finally:
            self.rebound = outer

    @abstractmethod
    def operation(self, node: ast.expr) -> ast.expr:
        """Reduce an expression to one operation on atoms."""
