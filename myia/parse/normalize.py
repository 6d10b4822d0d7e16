"""From a function's syntax tree to the normal form.

>>> from myia.parse.normalize import normalize, show
>>> from myia.parse._doctest import example         # def example(x): return sin(x) * x + 1
>>> print(show(normalize(example)))
def example(x):
    sin = math.sin(x)
    product = sin * x
    total = product + 1
    return total
"""

from __future__ import annotations

import ast
import builtins
import copy
import keyword
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FunctionType, ModuleType
from typing import Any, TypeVar

from myia.errors import UnsupportedMutation, UnsupportedSyntax
from myia.parse.exits import ExitRewriter
from myia.parse.program import (
    KEYWORD_ONLY,
    NO_DEFAULT,
    POSITIONAL,
    POSITIONAL_ONLY,
    VAR_KEYWORD,
    VAR_POSITIONAL,
    Parameter,
    Program,
)
from myia.parse.scope import MISSING, Origin, Scope, is_constant, static_attribute
from myia.parse.source import FunctionNode, Source, all_arguments, source_of
from myia.parse.support import advice_for

RESERVED = frozenset({"rt", *dir(builtins), *keyword.kwlist})
"""Names that generated variables never take."""

_EMITTED = frozenset(
    {
        "rt", "np", "math", "default", "range", "reversed", "float", "len", "abs", "min", "max", "sum", "bool", "int",
        "isinstance", "tuple", "list", "dict", "set", "zip",
    }
)  # fmt: skip
_EMITTED_ENDINGS = ("_forward", "_backward", "_globals", "_cell", "_grad")
"""Names that emitted code uses itself: a local variable of such a name gets another."""

_HINTS: dict[type[ast.AST], str] = {
    ast.Add: "total", ast.Sub: "difference", ast.Mult: "product", ast.Div: "quotient", ast.Pow: "power",
    ast.MatMult: "product", ast.FloorDiv: "quotient", ast.Mod: "remainder",
    ast.USub: "negative", ast.UAdd: "positive", ast.Not: "negation",
    ast.Compare: "test", ast.BoolOp: "test", ast.Subscript: "item", ast.IfExp: "choice",
    ast.Tuple: "items", ast.List: "items", ast.Dict: "table", ast.Set: "members",
    ast.JoinedStr: "text", ast.Lambda: "function",
    ast.ListComp: "items", ast.DictComp: "table", ast.SetComp: "members",
}  # fmt: skip


def normalize(function: FunctionType) -> Program:
    """The normal form of a live function.

    Raises SourceUnavailable, UnsupportedSyntax or UnsupportedMutation, with the place.
    """
    source = source_of(function)
    return _Normalizer(source, Scope(function), function=function).program()


def show(program: Program) -> str:
    """The program as Python text."""
    return text_of(as_function(program))


class _Brackets(ast.NodeTransformer):
    """Write a negative literal as a negation, so that `(-1) ** n` keeps its brackets."""

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if type(node.value) in (int, float) and node.value < 0:
            return ast.UnaryOp(ast.USub(), ast.Constant(-node.value))
        return node


def text_of(tree: ast.AST) -> str:
    """A tree of the normal form as Python text."""
    return ast.unparse(ast.fix_missing_locations(_Brackets().visit(copy.deepcopy(tree))))


def as_function(program: Program) -> ast.FunctionDef:
    """The program as a function definition; captured variables come first."""
    arguments = ast.arguments(
        posonlyargs=[],
        args=[ast.arg(name) for name in program.arguments],
        kwonlyargs=[],
        kw_defaults=[],
        defaults=[],
    )
    body = [*program.body, ast.Return(ast.Name(program.result, ast.Load()))]
    return ast.FunctionDef(program.name, arguments, body, [], **_TYPE_PARAMETERS)


_TYPE_PARAMETERS: dict[str, Any] = {"type_params": []} if "type_params" in ast.FunctionDef._fields else {}


@dataclass
class _Iteration:
    """How to walk over an iterable by position: its length, and what the target is at position k."""

    length: ast.expr
    bind: Callable[[ast.expr, ast.expr], None]


@dataclass
class _Normalizer:
    source: Source
    scope: Scope
    function: FunctionType | None = None
    parent: _Normalizer | None = None

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

    def program(self) -> Program:
        node = self.source.node
        if isinstance(node, ast.AsyncFunctionDef):
            raise self.refusal(node)
        if isinstance(node, ast.Lambda):
            body: list[ast.stmt] = [ast.copy_location(ast.Return(node.body), node.body)]
        else:
            body = node.body
        self.check_supported(body)
        self.locals |= _bound_names(node, body)
        self.used |= (
            RESERVED | self.locals | {n.id for b in body for n in ast.walk(b) if isinstance(n, ast.Name)}
        )
        if self.parent is not None:
            self.used |= self.parent.used
        for name in sorted(n for n in self.locals if n in _EMITTED or n.endswith(_EMITTED_ENDINGS)):
            self.renamed[name] = self.fresh(f"{name}_user")
        parameters = tuple(self.parameters(node.args))
        result = self.fresh_local("result")
        single = isinstance(body[-1], ast.Return) and sum(_returns(body)) == 1
        if single:
            last: ast.Return = body[-1]  # type: ignore[assignment]
            leading = ExitRewriter(self.fresh_local, result).block(body[:-1])[0] if body[:-1] else []
            self.statements(leading)
            value = last.value or ast.copy_location(ast.Constant(None), last)
            with self.rebinding(last):
                atom = self.atom(value)
            if isinstance(atom, ast.Name) and (atom.id in self.inputs or atom.id in self.constants):
                atom = self.assign(self.fresh("result"), atom, last)
            if not isinstance(atom, ast.Name):
                atom = self.assign(result, atom, last)
            result = atom.id
        else:
            self.statements(ExitRewriter(self.fresh_local, result).function(body))
        return Program(
            name="function" if keyword.iskeyword(self.source.name) else self.source.name,
            source=self.source,
            function=self.function,
            parameters=parameters,
            body=self.out,
            result=result,
            constants=self.constants,
            inputs=self.inputs,
            origins=self.origins,
            nested=self.nested,
            captures=tuple(self.captures),
        )

    def parameters(self, arguments: ast.arguments) -> Iterator[Parameter]:
        positional = [*arguments.posonlyargs, *arguments.args]
        defaults: dict[str, tuple[Any, str | None]] = {}
        if self.function is not None:
            given = self.function.__defaults__ or ()
            for argument, value in zip(positional[len(positional) - len(given) :], given, strict=True):
                defaults[argument.arg] = (value, None)
            for name, value in (self.function.__kwdefaults__ or {}).items():
                defaults[name] = (value, None)
        else:
            assert self.parent is not None
            nodes = list(
                zip(positional[len(positional) - len(arguments.defaults) :], arguments.defaults, strict=True)
            )
            nodes += [
                (a, v)
                for a, v in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
                if v is not None
            ]
            for argument, node in nodes:
                if isinstance(node, ast.Constant):
                    defaults[argument.arg] = (node.value, None)
                else:
                    if self.parent.loop_depth:
                        raise self.unsupported(
                            node,
                            "a nested function in a loop has a default that is computed",
                            "each of the functions would keep its own, which is not tracked",
                            "define a function that takes the value as an argument",
                        )
                    variable = self.parent.fresh(f"{argument.arg}_default")
                    self.parent.locals.add(variable)
                    self.used.add(variable)
                    self.parent.assign(variable, self.parent.operation(node), node)
                    self.captures.append(variable)
                    defaults[argument.arg] = (NO_DEFAULT, variable)
        for argument in all_arguments(arguments):
            if argument in arguments.posonlyargs:
                kind = POSITIONAL_ONLY
            elif argument in arguments.args:
                kind = POSITIONAL
            elif argument is arguments.vararg:
                kind = VAR_POSITIONAL
            elif argument is arguments.kwarg:
                kind = VAR_KEYWORD
            else:
                kind = KEYWORD_ONLY
            default, capture = defaults.get(argument.arg, (NO_DEFAULT, None))
            yield Parameter(self.renamed.get(argument.arg, argument.arg), kind, default, capture)

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

    def mutation(self, node: ast.AST, what: str) -> UnsupportedMutation:
        return UnsupportedMutation(
            f"{what} in place",
            reason="writing into arrays, containers and objects is not differentiated yet",
            remedy="build a new value instead, such as np.where, np.concatenate or a list comprehension",
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
                return self.assign(self.fresh(f"{name}_before"), _load(name, node), node)
            return _load(name, node)
        return self.free_name(node)

    def free_name(self, node: ast.Name) -> ast.expr:
        name = node.id
        if self.parent is not None and (owner := self.enclosing_owner(name)) is not None:
            return self.capture(name, owner, node)
        if name in self.constants or name in self.inputs:
            return _load(name, node)
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
        return _load(name, node)

    def enclosing_owner(self, name: str) -> _Normalizer | None:
        """The enclosing function that has `name` as a variable."""
        level = self.parent
        while level is not None:
            if level.renamed.get(name, name) in level.locals or name in level.renamed:
                return level
            level = level.parent
        return None

    def capture(self, name: str, owner: _Normalizer, node: ast.Name) -> ast.expr:
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
        return _load(variable, node)

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
        return _load(name, at)

    def runtime(self, name: str, at: ast.AST) -> ast.expr:
        """`rt.name`."""
        from myia import runtime

        self.constants["rt"] = runtime
        self.constants[f"rt.{name}"] = getattr(runtime, name)
        return _at(ast.Attribute(_load("rt", at), name, ast.Load()), at)

    # -- emitting ---------------------------------------------------------------------------------

    def assign(self, target: str, value: ast.expr, at: ast.AST) -> ast.Name:
        self.out.append(_at(ast.Assign([_at(ast.Name(target, ast.Store()), at)], value), at))
        return _load(target, at)

    def temporary(self, node: ast.expr) -> ast.expr:
        return self.assign(self.fresh(_hint(node)), self.operation(node), node)

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

    # -- expressions ------------------------------------------------------------------------------

    def atom(self, node: ast.expr) -> ast.expr:
        """Reduce an expression to a name or a literal."""
        match node:
            case ast.Constant():
                return node
            case ast.Name():
                return self.name(node)
            case ast.UnaryOp(ast.USub(), ast.Constant(int() | float() as value)) if not isinstance(
                value, bool
            ):
                return _at(ast.Constant(-value), node)
            case ast.NamedExpr(ast.Name(name), value):
                target = self.renamed.get(name, name)
                with self.rebinding(value):
                    operation = self.operation(value)
                return self.assign(target, operation, node)
            case ast.BoolOp(operator, values):
                return self.short_circuit(operator, values, node)
            case ast.IfExp(test, body, orelse):
                return self.conditional(test, body, orelse, node)
            case ast.Compare(left, operators, comparators) if len(operators) > 1:
                return self.chained_comparison(left, operators, comparators, node)
            case ast.ListComp() | ast.DictComp() | ast.SetComp():
                return self.comprehension(node)
            case ast.Lambda():
                return self.nested_function(node, self.fresh("function"))
            case ast.Call() | ast.List() | ast.Tuple() if _spread(node):
                if isinstance(node, ast.Call):
                    return self.temporary(node)
                return self.spread_sequence(node)
            case _:
                return self.temporary(node)

    def operation(self, node: ast.expr) -> ast.expr:
        """The right-hand side of an assignment: one operation on atoms, or an atom."""
        match node:
            case ast.BinOp(left, operator, right):
                return _at(ast.BinOp(self.atom(left), operator, self.atom(right)), node)
            case ast.UnaryOp(operator, operand) if not _is_negative_literal(node):
                return _at(ast.UnaryOp(operator, self.atom(operand)), node)
            case ast.Compare(left, [operator], [right]):
                return _at(ast.Compare(self.atom(left), [operator], [self.atom(right)]), node)
            case ast.Call():
                return self.call(node)
            case ast.Attribute(value, attribute):
                if self.constant_path(node) is not None:
                    return self.constant_expression(node)
                return _at(ast.Attribute(self.atom(value), self.mangled(attribute), ast.Load()), node)
            case ast.Subscript(value, index):
                return _at(ast.Subscript(self.atom(value), self.index(index), ast.Load()), node)
            case ast.Tuple(elements) if not _spread(node):
                return _at(ast.Tuple([self.atom(e) for e in elements], ast.Load()), node)
            case ast.List(elements) if not _spread(node):
                return _at(ast.List([self.atom(e) for e in elements], ast.Load()), node)
            case ast.Set(elements) if not _spread(node):
                return _at(ast.Set([self.atom(e) for e in elements]), node)
            case ast.Dict(keys, values):
                return self.dictionary(node, keys, values)
            case ast.JoinedStr(values):
                return _at(ast.JoinedStr([self.formatted(v) for v in values]), node)
            case ast.Starred() | ast.Slice() | ast.FormattedValue():
                raise self.unsupported(
                    node,
                    "this form is not supported here",
                    "it stands outside a call or an index",
                    "write it out",
                )
            case ast.Set():
                raise self.unsupported(
                    node,
                    "a starred set display is not supported",
                    "the order of a set is not fixed",
                    "use a list",
                )
            case _:
                return self.atom(node)

    def constant_expression(self, node: ast.expr) -> ast.expr:
        """A copy of a dotted path, resolved already."""
        if isinstance(node, ast.Attribute):
            return _at(ast.Attribute(self.constant_expression(node.value), node.attr, ast.Load()), node)
        assert isinstance(node, ast.Name)
        return _load(node.id, node)

    def dictionary(self, node: ast.Dict, keys: list[ast.expr | None], values: list[ast.expr]) -> ast.expr:
        if None in keys:
            return self.merged(node, list(zip(keys, values, strict=True)))
        pairs = [(self.atom(key), self.atom(value)) for key, value in zip(keys, values, strict=True) if key]
        return _at(ast.Dict([key for key, _ in pairs], [value for _, value in pairs]), node)

    def merged(self, node: ast.expr, entries: list[tuple[ast.expr | None, ast.expr]]) -> ast.expr:
        """`{**a, key: value, **b}`: dictionaries merged one after the other, as an operation."""
        made: ast.expr = _at(ast.Dict([], []), node)
        for key, value in entries:
            atom = self.atom(value)
            piece = atom if key is None else _at(ast.Dict([self.atom(key)], [atom]), node)
            if not isinstance(piece, ast.Name):
                piece = self.assign(self.fresh("table"), piece, node)
            if not isinstance(made, ast.Name):
                made = self.assign(self.fresh("table"), made, node)
            made = _call(self.runtime("merged", node), [made, piece], node)
        return made

    def formatted(self, node: ast.expr) -> ast.expr:
        if isinstance(node, ast.FormattedValue):
            spec = node.format_spec
            if isinstance(spec, ast.JoinedStr):
                spec = _at(ast.JoinedStr([self.formatted(v) for v in spec.values]), spec)
            return _at(ast.FormattedValue(self.atom(node.value), node.conversion, spec), node)
        return node

    def index(self, node: ast.expr) -> ast.expr:
        match node:
            case ast.Slice(lower, upper, step):
                parts = [None if p is None else self.atom(p) for p in (lower, upper, step)]
                return _at(ast.Slice(*parts), node)
            case ast.Tuple(elements) if any(isinstance(e, ast.Slice) for e in elements) and not _spread(node):
                return _at(ast.Tuple([self.index(e) for e in elements], ast.Load()), node)
            case ast.Tuple(elements) if not _spread(node):
                return _at(ast.Tuple([self.atom(e) for e in elements], ast.Load()), node)
            case _:
                return self.atom(node)

    def call(self, node: ast.Call) -> ast.expr:
        match node:
            case ast.Call(ast.Attribute(value, "items" | "keys" | "values" as kind), [], []):
                if self.constant_path(node.func) is None:
                    return _call(self.runtime(kind, node), [self.atom(value)], node)
            case ast.Call(ast.Name("dict") as name, [], keywords) if all(k.arg for k in keywords):
                if (path := self.constant_path(name)) is not None and path[1] is dict:
                    names: list[ast.expr | None] = [_at(ast.Constant(k.arg), k.value) for k in keywords]
                    return self.dictionary(_at(ast.Dict(), node), names, [k.value for k in keywords])
        function = self.callee(node.func)
        plain: list[ast.expr]
        if any(isinstance(a, ast.Starred) for a in node.args):
            sequence = self.spread_sequence(_at(ast.List(node.args, ast.Load()), node))
            plain = [_at(ast.Starred(sequence, ast.Load()), node)]
        else:
            plain = [self.atom(a) for a in node.args]
        if len(node.keywords) > 1 and any(k.arg is None for k in node.keywords):
            entries = [(k.arg and _at(ast.Constant(k.arg), k.value), k.value) for k in node.keywords]
            together = self.assign(self.fresh("keywords"), self.merged(node, entries), node)  # type: ignore[arg-type]
            return _at(ast.Call(function, plain, [_at(ast.keyword(None, together), node)]), node)
        keywords = [_at(ast.keyword(k.arg, self.atom(k.value)), node) for k in node.keywords]
        return _at(ast.Call(function, plain, keywords), node)

    def callee(self, node: ast.expr) -> ast.expr:
        if (path := self.constant_path(node)) is not None:
            if path[1] in (super, eval, exec, globals, locals, vars, setattr, delattr) and path[0] in dir(
                builtins
            ):
                raise self.unsupported(
                    node,
                    f"{path[0]} is not supported inside a differentiated function",
                    "what it reads or changes cannot be followed",
                    "name the method, the attribute or the value itself",
                )
            return self.constant_expression(node)
        if isinstance(node, ast.Attribute):
            return _at(ast.Attribute(self.atom(node.value), self.mangled(node.attr), ast.Load()), node)
        return self.atom(node)

    def mangled(self, attribute: str) -> str:
        """A private name as Python sees it inside a class: `__w` in `class Layer` is `_Layer__w`."""
        if not attribute.startswith("__") or attribute.endswith("__") or self.scope.function is None:
            return attribute
        owners = [part for part in self.scope.function.__qualname__.split(".")[:-1] if part != "<locals>"]
        nested = self.scope.function.__qualname__.rpartition(".")[0].endswith("<locals>")
        return f"_{owners[-1].lstrip('_')}{attribute}" if owners and not nested else attribute

    def spread_sequence(self, node: ast.List | ast.Tuple) -> ast.expr:
        """`[a, *b, c]` as sums of lists, converted to a tuple if that is asked for."""
        pieces: list[ast.expr] = []
        run: list[ast.expr] = []

        def close() -> None:
            if run:
                made = _at(ast.List(list(run), ast.Load()), node)
                pieces.append(self.assign(self.fresh("items"), made, node))
                run.clear()

        for element in node.elts:
            if isinstance(element, ast.Starred):
                close()
                spread = self.atom(element.value)
                pieces.append(
                    self.assign(
                        self.fresh("items"),
                        _call(self.runtime("as_list", element), [spread], element),
                        element,
                    )
                )
            else:
                atom = self.atom(element)
                run.append(atom)
        close()
        result = pieces[0]
        for piece in pieces[1:]:
            result = self.assign(self.fresh("items"), _at(ast.BinOp(result, ast.Add(), piece), node), node)
        if isinstance(node, ast.Tuple):
            converted = _call(self.runtime("as_tuple", node), [result], node)
            result = self.assign(self.fresh("items"), converted, node)
        return result

    def short_circuit(self, operator: ast.boolop, values: list[ast.expr], node: ast.expr) -> ast.expr:
        target = self.fresh("test")
        self.assign(target, self.operation(values[0]), values[0])
        self._short_circuit_rest(target, operator, values[1:], node)
        return _load(target, node)

    def _short_circuit_rest(
        self, target: str, operator: ast.boolop, values: list[ast.expr], node: ast.expr
    ) -> None:
        with self.block() as body:
            self.assign(target, self.operation(values[0]), values[0])
            if values[1:]:
                self._short_circuit_rest(target, operator, values[1:], node)
        test = self.assign(self.fresh("decided"), _load(target, node), node)
        otherwise: list[ast.stmt] = [_at(ast.Pass(), node)]
        branches = (body, []) if isinstance(operator, ast.And) else (otherwise, body)
        self.out.append(_at(ast.If(test, *branches), node))

    def conditional(self, test: ast.expr, body: ast.expr, orelse: ast.expr, node: ast.expr) -> ast.expr:
        target = self.fresh("choice")
        condition = self.test(test)
        with self.block() as taken:
            self.assign(target, self.operation(body), body)
        with self.block() as untaken:
            self.assign(target, self.operation(orelse), orelse)
        self.out.append(_at(ast.If(condition, taken, untaken), node))
        return _load(target, node)

    def chained_comparison(
        self, left: ast.expr, operators: list[ast.cmpop], comparators: list[ast.expr], node: ast.expr
    ) -> ast.expr:
        target = self.fresh("test")
        first, second = self.atom(left), self.atom(comparators[0])
        self.assign(target, _at(ast.Compare(first, [operators[0]], [second]), node), node)

        def following(previous: ast.expr, k: int) -> None:
            test = self.assign(self.fresh("decided"), _load(target, node), node)
            with self.block() as body:
                right = self.atom(comparators[k])
                self.assign(target, _at(ast.Compare(previous, [operators[k]], [right]), node), node)
                if k + 1 < len(comparators):
                    following(right, k + 1)
            self.out.append(_at(ast.If(test, body, []), node))

        following(second, 1)
        return _load(target, node)

    def test(self, node: ast.expr) -> ast.expr:
        """A condition as a name of its own, that no branch can overwrite."""
        atom = self.atom(node)
        if isinstance(node, ast.Name) or not isinstance(atom, ast.Name):
            return self.assign(self.fresh("test"), atom, node)
        return atom

    # -- comprehensions ---------------------------------------------------------------------------

    def comprehension(self, node: ast.ListComp | ast.DictComp | ast.SetComp) -> ast.expr:
        building = self.fresh(_hint(node))
        empty: ast.expr
        match node:
            case ast.ListComp():
                empty = _at(ast.List([], ast.Load()), node)
            case ast.DictComp():
                empty = _at(ast.Dict([], []), node)
            case _:
                empty = _call(self.builtin("set", node), [], node)
        self.assign(building, empty, node)
        outer = dict(self.renamed)
        self._generators(node, node.generators, building)
        self.renamed = outer
        if isinstance(node, ast.SetComp):
            return _load(building, node)
        built = _call(self.runtime("built", node), [_load(building, node)], node)
        return self.assign(self.fresh(_hint(node)), built, node)

    def _generators(
        self,
        node: ast.ListComp | ast.DictComp | ast.SetComp,
        generators: list[ast.comprehension],
        building: str,
    ) -> None:
        if not generators:
            target = _load(building, node)
            match node:
                case ast.ListComp(element):
                    call = _call(self.runtime("append", node), [target, self.atom(element)], node)
                case ast.DictComp(key, value):
                    call = _call(
                        self.runtime("insert", node), [target, self.atom(key), self.atom(value)], node
                    )
                case ast.SetComp(element):
                    call = _call(self.runtime("include", node), [target, self.atom(element)], node)
            self.assign(building, call, node)
            return
        generator, rest = generators[0], generators[1:]
        if generator.is_async:
            raise self.refusal(_at(ast.AsyncFor(generator.target, generator.iter, [], []), generator.iter))

        def body() -> None:
            if not generator.ifs:
                self._generators(node, rest, building)
                return
            condition = (
                generator.ifs[0]
                if len(generator.ifs) == 1
                else _at(ast.BoolOp(ast.And(), generator.ifs), generator.ifs[0])
            )
            test = self.test(condition)
            with self.block() as taken:
                self._generators(node, rest, building)
            self.out.append(_at(ast.If(test, taken, []), node))

        def rename_targets() -> None:
            for name in sorted(_stored(generator.target)):
                self.renamed[name] = self.fresh(name)

        self.loop(generator.target, generator.iter, body, generator.iter, rename_targets)

    # -- nested functions -------------------------------------------------------------------------

    def nested_function(self, node: ast.FunctionDef | ast.Lambda, name: str) -> ast.expr:
        if isinstance(node, ast.FunctionDef) and node.decorator_list:
            raise self.unsupported(
                node.decorator_list[0],
                "a nested function is decorated",
                "what the decorator makes of it is not known before it runs",
                "call the decorator at the top level of the module",
            )
        if name in self.nested:
            raise self.unsupported(
                node,
                f"the nested function {name!r} is defined twice",
                "which of the definitions a call means would depend on the run",
                "give them two names",
            )
        label = name if isinstance(node, ast.FunctionDef) else "lambda_function"
        inner = _Normalizer(Source(node, self.source.filename, label), self.scope, None, self)
        self.locals.add(name)
        program = inner.program()
        if inner.calls_itself:
            program.nested[name] = program
        self.nested[name] = program
        self.used |= inner.used
        self.inputs.update(inner.inputs)
        self.constants.update(inner.constants)
        self.origins.update(inner.origins)
        definition = as_function(program)
        definition.name = name
        definition.args.args = definition.args.args[len(program.captures) :]
        self.out.append(_at(definition, node))
        return _load(name, node)

    # -- statements -------------------------------------------------------------------------------

    def statements(self, body: list[ast.stmt]) -> None:
        for statement in body:
            with self.rebinding(
                statement if not isinstance(statement, (ast.If, ast.For, ast.While)) else ast.Pass()
            ):
                self.statement(statement)

    def statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Assign(targets, value):
                self.assignment(targets, value, node)
            case ast.AnnAssign(target, _, value):
                if value is not None:
                    self.assignment([target], value, node)
            case ast.AugAssign(ast.Name(name), operator, value):
                before = self.atom(_at(ast.Name(name, ast.Load()), node.target))
                atom = self.atom(value)
                self.out.append(_at(ast.Expr(_call(self.runtime("rebindable", node), [before], node)), node))
                updated = _at(ast.BinOp(before, operator, atom), node)
                self.assign(self.renamed.get(name, name), updated, node)
            case ast.AugAssign(target):
                raise self.mutation(target, "an element or attribute is updated")
            case ast.Expr(ast.Constant()):
                pass
            case ast.Expr(value):
                operation = self.operation(value)
                if isinstance(operation, ast.Call):
                    self.out.append(_at(ast.Expr(operation), node))
                elif not isinstance(operation, (ast.Name, ast.Constant)):
                    self.assign(self.fresh("unused"), operation, node)
            case ast.If(test, body, orelse):
                with self.rebinding(test):
                    condition = self.test(test)
                with self.block() as taken:
                    self.statements(body)
                with self.block() as untaken:
                    self.statements(orelse)
                self.out.append(_at(ast.If(condition, taken or [_at(ast.Pass(), node)], untaken), node))
            case ast.For(target, iterable, body):
                self.loop(target, iterable, lambda: self.statements(body), node, lambda: None)
            case ast.While(test, body):
                self.while_loop(test, body, node)
            case ast.Assert(test, message):
                atom = self.atom(test)
                if message is not None and not isinstance(message, ast.Constant):
                    # The message is computed only if the assertion fails.
                    with self.block() as failing:
                        text = self.atom(message)
                        self.out.append(_at(ast.Assert(_at(ast.Constant(False), node), text), node))
                    ok = self.assign(self.fresh("test"), atom, node)
                    self.out.append(_at(ast.If(ok, [_at(ast.Pass(), node)], failing), node))
                else:
                    self.out.append(_at(ast.Assert(atom, message), node))
            case ast.Raise(exception, cause):
                raised = None if exception is None else self.atom(exception)
                self.out.append(_at(ast.Raise(raised, None if cause is None else self.atom(cause)), node))
            case ast.FunctionDef(name):
                self.nested_function(node, self.renamed.get(name, name))
            case ast.Break():
                self.out.append(_at(ast.Break(), node))
            case ast.Pass():
                pass
            case _:
                raise self.unsupported(node, "this statement is not supported here", "", "")

    def assignment(self, targets: list[ast.expr], value: ast.expr, node: ast.stmt) -> None:
        if len(targets) == 1 and isinstance(targets[0], ast.Name):
            if isinstance(value, ast.Lambda) and self.stored_once(targets[0].id):
                self.nested_function(value, self.renamed.get(targets[0].id, targets[0].id))
                return
            self.assign(self.renamed.get(targets[0].id, targets[0].id), self.operation(value), node)
            return
        target = targets[0]
        if (
            len(targets) == 1
            and isinstance(target, (ast.Tuple, ast.List))
            and isinstance(value, (ast.Tuple, ast.List))
        ):
            if len(target.elts) == len(value.elts) and not _spread(target) and not _spread(value):
                self.parallel(target.elts, value.elts, node)
                return
        atom = self.atom(value)
        for target in targets:
            self.unpack(target, atom, node)

    def stored_once(self, name: str) -> bool:
        parameters = {argument.arg for argument in all_arguments(self.source.node.args)}
        nodes = ast.walk(self.source.node)
        return (
            name not in parameters
            and sum(isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Store) for n in nodes)
            == 1
        )

    def parallel(self, targets: list[ast.expr], values: list[ast.expr], node: ast.stmt) -> None:
        """`a, b = b, a` without a tuple; a value read by name is copied if an earlier target rebinds it."""
        atoms = []
        written: set[str] = set()
        for target, value in zip(targets, values, strict=True):
            atom = self.atom(value)
            if isinstance(value, ast.Name) and isinstance(atom, ast.Name) and value.id in written:
                atom = self.assign(self.fresh(f"{value.id}_before"), atom, value)
            written |= _stored(target)
            atoms.append(atom)
        for target, atom in zip(targets, atoms, strict=True):
            self.unpack(target, atom, node)

    def unpack(self, target: ast.expr, value: ast.expr, node: ast.AST) -> None:
        match target:
            case ast.Name(name):
                self.assign(self.renamed.get(name, name), value, node)
            case ast.Tuple(elements) | ast.List(elements):
                self.unpack_sequence(target, elements, value, node)
            case ast.Subscript():
                raise self.mutation(target, "an element is written")
            case ast.Attribute():
                raise self.mutation(target, "an attribute is written")
            case _:
                raise self.unsupported(target, "this target is not supported", "", "")

    def unpack_sequence(
        self, target: ast.expr, elements: list[ast.expr], value: ast.expr, node: ast.AST
    ) -> None:
        stars = [k for k, element in enumerate(elements) if isinstance(element, ast.Starred)]
        if not stars:
            count = _at(ast.Constant(len(elements)), node)
            checked = _call(self.runtime("unpacked", node), [value, count], target)
            items = self.assign(self.fresh("items"), checked, target)
            for k, element in enumerate(elements):
                self.unpack_item(element, _item(items, ast.Constant(k), element), element)
            return
        star, after = stars[0], len(elements) - stars[0] - 1
        count = _at(ast.Constant(len(elements) - 1), node)
        items = self.assign(
            self.fresh("items"),
            _call(self.runtime("unpacked_at_least", node), [value, count], target),
            target,
        )
        for k, element in enumerate(elements[:star]):
            self.unpack_item(element, _item(items, ast.Constant(k), element), element)
        starred = elements[star]
        assert isinstance(starred, ast.Starred)
        stop = ast.Constant(-after) if after else None
        rest = _at(
            ast.Subscript(items, _at(ast.Slice(ast.Constant(star), stop), starred), ast.Load()), starred
        )
        self.unpack_item(starred.value, rest, starred)
        for k, element in enumerate(elements[star + 1 :]):
            self.unpack_item(element, _item(items, ast.Constant(k - after), element), element)

    def unpack_item(self, target: ast.expr, item: ast.expr, node: ast.AST) -> None:
        if isinstance(target, ast.Name):
            self.assign(self.renamed.get(target.id, target.id), item, node)
        else:
            self.unpack(target, self.assign(self.fresh("item"), item, node), node)

    # -- loops ------------------------------------------------------------------------------------

    def while_loop(self, test: ast.expr, body: list[ast.stmt], node: ast.While) -> None:
        self.loop_depth += 1
        with self.block() as inside:
            if isinstance(test, ast.Constant) and test.value:
                self.statements(body)
            else:
                with self.rebinding(test):
                    condition = self.test(test)
                with self.block() as taken:
                    self.statements(body)
                leave: list[ast.stmt] = [_at(ast.Break(), test)]
                self.out.append(_at(ast.If(condition, taken or [_at(ast.Pass(), node)], leave), node))
        self.loop_depth -= 1
        self.out.append(_at(ast.While(_at(ast.Constant(True), node), inside, []), node))

    def loop(
        self,
        target: ast.expr,
        iterable: ast.expr,
        body: Callable[[], None],
        node: ast.AST,
        rename_targets: Callable[[], None],
    ) -> None:
        """A loop over the positions of `iterable`; the target is read from it in the body."""
        iteration = None
        with self.rebinding(iterable):
            bounds = self.range_bounds(iterable)
            if bounds is None:
                iteration = self.iteration(iterable)
                bounds = [iteration.length]
        rename_targets()
        direct = iteration is None and isinstance(target, ast.Name) and self.only_here(target.id, node)
        if direct:
            assert isinstance(target, ast.Name)
            position = self.renamed.get(target.id, target.id)
        else:
            position = self.fresh("k")
        self.loop_depth += 1
        with self.block() as inside:
            at = _load(position, target)
            if iteration is not None:
                iteration.bind(at, target)
            elif not direct:
                self.unpack(target, at, target)
            body()
        self.loop_depth -= 1
        walk = _call(self.builtin("range", node), bounds, iterable)
        loop_target = _at(ast.Name(position, ast.Store()), target)
        self.out.append(_at(ast.For(loop_target, walk, inside or [_at(ast.Pass(), node)], []), node))

    def only_here(self, name: str, loop: ast.AST) -> bool:
        """Whether a loop variable is bound by this loop alone and read in it alone."""
        if self.source.node is loop or not isinstance(loop, ast.For):
            return name in self.renamed  # a comprehension's variable is its own
        inside = sum(isinstance(n, ast.Name) and n.id == name for part in loop.body for n in ast.walk(part))
        stores = sum(
            isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Store)
            for part in loop.body
            for n in ast.walk(part)
        )
        everywhere = sum(isinstance(n, ast.Name) and n.id == name for n in ast.walk(self.source.node))
        parameters = {argument.arg for argument in all_arguments(self.source.node.args)}
        return not stores and everywhere == inside + 1 and name not in parameters

    def range_bounds(self, node: ast.expr) -> list[ast.expr] | None:
        match node:
            case ast.Call(ast.Name("range"), args, []) if args and not any(
                isinstance(a, ast.Starred) for a in args
            ):
                path = self.constant_path(node.func)
                if path is not None and path[1] is range:
                    return [self.atom(argument) for argument in args]
        return None

    def iteration(self, node: ast.expr) -> _Iteration:
        match node:
            case ast.Call(ast.Name() as function, args, keywords) if not any(
                isinstance(a, ast.Starred) for a in args
            ):
                path = self.constant_path(function)
                made = None if path is None else self.iteration_by(path[1], args, keywords, node)
                if made is not None:
                    return made
            case ast.Call(ast.Attribute(value, "items" | "keys" | "values" as kind), [], []):
                if self.constant_path(node.func) is None:
                    return self.dictionary_iteration(self.atom(value), kind, node)
        sequence = self.assign(
            self.fresh("sequence"), _call(self.runtime("sequence", node), [self.atom(node)], node), node
        )
        length = self.assign(self.fresh("count"), _call(self.builtin("len", node), [sequence], node), node)
        return _Iteration(
            length, lambda k, target: self.unpack_item(target, _item(sequence, k, target), target)
        )

    def iteration_by(
        self, function: Any, args: list[ast.expr], keywords: list[ast.keyword], node: ast.expr
    ) -> _Iteration | None:
        match function:
            case builtins.enumerate if 1 <= len(args) + len(keywords) <= 2 and args:
                inner = self.iteration(args[0])
                start = args[1] if len(args) > 1 else keywords[0].value if keywords else None
                first = None if start is None else self.atom(start)

                def bind_both(k: ast.expr, target: ast.expr) -> None:
                    number = k if first is None else _at(ast.BinOp(first, ast.Add(), k), node)
                    match target:
                        case ast.Tuple([index, element]) | ast.List([index, element]):
                            self.unpack_item(index, number, index)
                            inner.bind(k, element)
                        case _:
                            position = self.assign(self.fresh("position"), number, node)
                            element = _at(ast.Name(self.fresh("element"), ast.Store()), node)
                            inner.bind(k, element)
                            pair = _at(ast.Tuple([position, _load(element.id, node)], ast.Load()), node)
                            self.unpack_item(target, pair, target)

                return _Iteration(inner.length, bind_both)
            case builtins.zip if args and not keywords:
                parts = [self.iteration(argument) for argument in args]
                length = parts[0].length
                if len(parts) > 1:
                    shortest = _call(self.runtime("shortest", node), [part.length for part in parts], node)
                    length = self.assign(self.fresh("count"), shortest, node)

                def bind_all(k: ast.expr, target: ast.expr) -> None:
                    elements = target.elts if isinstance(target, (ast.Tuple, ast.List)) else []
                    if len(elements) == len(parts) and not _spread(target):
                        for part, element in zip(parts, elements, strict=True):
                            part.bind(k, element)
                        return
                    names = [_at(ast.Name(self.fresh("element"), ast.Store()), node) for _ in parts]
                    for part, name in zip(parts, names, strict=True):
                        part.bind(k, name)
                    row = _at(ast.Tuple([_load(n.id, node) for n in names], ast.Load()), node)
                    self.unpack_item(target, row, target)

                return _Iteration(length, bind_all)
            case builtins.reversed if len(args) == 1 and not keywords:
                inner = self.iteration(args[0])
                one = _at(ast.Constant(1), node)
                last = self.assign(
                    self.fresh("last"), _at(ast.BinOp(inner.length, ast.Sub(), one), node), node
                )

                def bind_reversed(k: ast.expr, target: ast.expr) -> None:
                    back = self.assign(self.fresh("back"), _at(ast.BinOp(last, ast.Sub(), k), node), node)
                    inner.bind(back, target)

                return _Iteration(inner.length, bind_reversed)
            case builtins.range if args and not keywords:
                bounds = [self.atom(argument) for argument in args]
                numbers = self.assign(
                    self.fresh("numbers"), _call(self.builtin("range", node), bounds, node), node
                )
                length = self.assign(
                    self.fresh("count"), _call(self.builtin("len", node), [numbers], node), node
                )
                return _Iteration(length, lambda k, t: self.unpack_item(t, _item(numbers, k, t), t))
        return None

    def dictionary_iteration(self, table: ast.expr, kind: str, node: ast.expr) -> _Iteration:
        """Over a dictionary by position, in its own order."""
        keys = self.assign(self.fresh("keys"), _call(self.runtime("keys", node), [table], node), node)
        length = self.assign(self.fresh("count"), _call(self.builtin("len", node), [keys], node), node)

        def bind(k: ast.expr, target: ast.expr) -> None:
            if kind == "keys":
                self.unpack_item(target, _item(keys, k, node), node)
                return
            if kind == "values":
                key = self.assign(self.fresh("key"), _item(keys, k, node), node)
                self.unpack_item(target, _item(table, key, node), node)
                return
            match target:
                case ast.Tuple([ast.Name(name) as first, second]):
                    self.unpack_item(first, _item(keys, k, node), first)
                    key = _load(self.renamed.get(name, name), node)
                    self.unpack_item(second, _item(table, key, node), second)
                case _:
                    key = self.assign(self.fresh("key"), _item(keys, k, node), node)
                    value = self.assign(self.fresh("value"), _item(table, key, node), node)
                    self.unpack_item(target, _at(ast.Tuple([key, value], ast.Load()), node), target)

        return _Iteration(length, bind)


# -- small questions about trees ------------------------------------------------------------------

_Node = TypeVar("_Node", bound=ast.AST)


def _at(node: _Node, at: ast.AST) -> _Node:
    return ast.copy_location(node, at)


def _load(name: str, at: ast.AST) -> ast.Name:
    return _at(ast.Name(name, ast.Load()), at)


def _call(function: ast.expr, arguments: list[ast.expr], at: ast.AST) -> ast.Call:
    return _at(ast.Call(function, arguments, []), at)


def _item(value: ast.expr, index: ast.expr, at: ast.AST) -> ast.Subscript:
    return _at(ast.Subscript(value, index, ast.Load()), at)


def _hint(node: ast.expr) -> str:
    """What a generated variable is called after."""
    match node:
        case ast.BinOp(_, operator) | ast.UnaryOp(operator):
            return _HINTS.get(type(operator), "value")
        case ast.Call(ast.Name(name)) | ast.Call(ast.Attribute(_, name)):
            name = name if name.islower() else "value"
            return _SYNONYMS.get(name, name)
        case ast.Attribute(_, name):
            return name if name.islower() else "value"
        case _:
            return _HINTS.get(type(node), "value")


_SYNONYMS = {"len": "length", "sum": "total", "max": "largest", "min": "least", "abs": "size", "float": "number",
             "int": "number", "range": "numbers", "sorted": "ordered", "list": "items", "tuple": "items"}  # fmt: skip
"""What the result of a builtin is called, whose own name stays the builtin's."""


def _spread(node: ast.expr) -> bool:
    elements = node.args if isinstance(node, ast.Call) else getattr(node, "elts", [])
    return any(isinstance(element, ast.Starred) for element in elements)


def _is_negative_literal(node: ast.UnaryOp) -> bool:
    return (
        isinstance(node.op, ast.USub)
        and isinstance(node.operand, ast.Constant)
        and type(node.operand.value) in (int, float)
    )


def _stored(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _returns(body: list[ast.stmt]) -> Iterator[bool]:
    """One True for each return of this function, those of nested functions not counted."""
    for node in _own_nodes(body):
        if isinstance(node, ast.Return):
            yield True


def _own_nodes(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """The nodes of a function body without those of nested functions' bodies and comprehensions' targets."""
    pending: list[ast.AST] = list(reversed(body))
    while pending:
        node = pending.pop()
        yield node
        if isinstance(node, (ast.FunctionDef, ast.Lambda)):
            continue
        pending.extend(ast.iter_child_nodes(node))


def _bound_names(node: FunctionNode, body: list[ast.stmt]) -> set[str]:
    """The local variables of a function: parameters, and all that it assigns outside comprehensions."""
    names = {argument.arg for argument in all_arguments(node.args)}
    comprehended: set[int] = set()
    for inner in _own_nodes(body):
        if isinstance(inner, ast.comprehension):
            comprehended |= {id(n) for n in ast.walk(inner.target)}
        elif isinstance(inner, ast.FunctionDef):
            names.add(inner.name)
    for inner in _own_nodes(body):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store) and id(inner) not in comprehended:
            names.add(inner.id)
    return names
