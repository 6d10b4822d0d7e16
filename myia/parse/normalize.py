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
import copy
import keyword
from collections.abc import Iterator
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import numpy as np

from myia import manual
from myia.parse.exits import ExitRewriter
from myia.parse.loops import Loops
from myia.parse.mutating import writes
from myia.parse.names import EMITTED, EMITTED_ENDINGS, RESERVED
from myia.parse.program import (
    KEYWORD_ONLY,
    NO_DEFAULT,
    POSITIONAL,
    POSITIONAL_ONLY,
    UPDATES,
    VAR_KEYWORD,
    VAR_POSITIONAL,
    Parameter,
    Program,
)
from myia.parse.scope import Scope
from myia.parse.source import Source, all_arguments, source_of
from myia.parse.support import LEAVES, WITH
from myia.parse.trees import (
    bound_names,
    call_of,
    has_star,
    hint_for,
    item_of,
    leaving_statements,
    load,
    only_counts,
    placed,
    returns_of,
    stored_names,
)


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
        value: Any = node.value
        if type(value) in (int, float) and value < 0:
            return ast.UnaryOp(ast.USub(), ast.Constant(-value))
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


def signature_of(program: Program) -> ast.arguments:
    """The parameters of a nested function as it is written, defaults and stars included."""
    made = ast.arguments([], [], None, [], [], None, [])
    for parameter in program.parameters:
        argument = ast.arg(parameter.name)
        default: ast.expr | None = None
        if parameter.capture is not None:
            default = ast.Name(parameter.capture, ast.Load())
        elif parameter.optional:
            default = ast.Constant(parameter.default)
        if parameter.kind in (POSITIONAL_ONLY, POSITIONAL):
            (made.posonlyargs if parameter.kind == POSITIONAL_ONLY else made.args).append(argument)
            if default is not None:
                made.defaults.append(default)
        elif parameter.kind == KEYWORD_ONLY:
            made.kwonlyargs.append(argument)
            made.kw_defaults.append(default)
        elif parameter.kind == VAR_POSITIONAL:
            made.vararg = argument
        elif parameter.kind == VAR_KEYWORD:
            made.kwarg = argument
    return made


_TYPE_PARAMETERS: dict[str, Any] = {"type_params": []} if "type_params" in ast.FunctionDef._fields else {}


@dataclass
class _Normalizer(Loops):
    """Normalizes a function: its parameters and statements."""

    def program(self) -> Program:
        node = self.source.node
        if isinstance(node, ast.AsyncFunctionDef):
            raise self.refusal(node)
        if isinstance(node, ast.Lambda):
            body: list[ast.stmt] = [ast.copy_location(ast.Return(node.body), node.body)]
        else:
            body = node.body
        self.check_supported(body)
        self.locals |= bound_names(node, body)
        self.used |= (
            RESERVED | self.locals | {n.id for b in body for n in ast.walk(b) if isinstance(n, ast.Name)}
        )
        if self.parent is not None:
            self.used |= self.parent.used
        if "_" in self.locals and not only_counts(node, "_"):
            self.renamed["_"] = self.fresh("underscore")  # the reverse sweep's loops bind `_` themselves
        for name in sorted(n for n in self.locals if n in EMITTED or n.endswith(EMITTED_ENDINGS)):
            self.renamed[name] = self.fresh(f"{name}_user")
        parameters = tuple(self.parameters(node.args))
        result = self.fresh_local("result")
        single = isinstance(body[-1], ast.Return) and sum(returns_of(body)) == 1
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
        if self.out and getattr(self.function, manual.MARK, False):
            body, self.out = self.out, []
            self.once(body, node)
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
        definition.args = signature_of(program)
        self.out.append(placed(definition, node))
        return load(name, node)

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
            case ast.AugAssign(target, operator, value):
                self.update(target, operator, value, node)
            case ast.Expr(ast.Constant()):
                pass
            case ast.Expr(value):
                operation = self.operation(value)
                if isinstance(operation, ast.Call):
                    self.out.append(placed(ast.Expr(operation), node))
                elif not isinstance(operation, (ast.Name, ast.Constant)):
                    self.assign(self.fresh("unused"), operation, node)
            case ast.If(test, body, orelse):
                with self.rebinding(test):
                    condition = self.test(test)
                with self.block() as taken:
                    self.statements(body)
                with self.block() as untaken:
                    self.statements(orelse)
                self.out.append(placed(ast.If(condition, taken or [placed(ast.Pass(), node)], untaken), node))
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
                        self.out.append(placed(ast.Assert(placed(ast.Constant(False), node), text), node))
                    ok = self.assign(self.fresh("test"), atom, node)
                    self.out.append(placed(ast.If(ok, [placed(ast.Pass(), node)], failing), node))
                else:
                    self.out.append(placed(ast.Assert(atom, message), node))
            case ast.Raise(exception, cause):
                raised = None if exception is None else self.atom(exception)
                self.out.append(placed(ast.Raise(raised, None if cause is None else self.atom(cause)), node))
            case ast.With(items, body):
                self.checkpoint(items, body, node)
            case ast.FunctionDef(name):
                self.nested_function(node, self.renamed.get(name, name))
            case ast.Break():
                self.out.append(placed(ast.Break(), node))
            case ast.Pass():
                pass
            case _:
                raise self.unsupported(node, "this statement is not supported here", "", "")

    def checkpoint(self, items: list[ast.withitem], body: list[ast.stmt], node: ast.stmt) -> None:
        """`with myia.checkpoint():` is a loop of one iteration, reversed from the state at its head."""
        path = None
        match items:
            case [ast.withitem(ast.Call(function, [], []), None)]:
                path = self.constant_path(function)
        if path is None or path[1] is not manual.checkpoint:
            raise self.unsupported(items[0].context_expr, WITH.summary, WITH.reason, WITH.remedy)
        for leaving in leaving_statements(body):
            raise self.unsupported(leaving, LEAVES.summary, LEAVES.reason, LEAVES.remedy)
        with self.block() as inside:
            self.statements(body)
        self.once(inside, node)

    def once(self, body: list[ast.stmt], node: ast.AST) -> None:
        target = placed(ast.Name(self.fresh("once"), ast.Store()), node)
        walk = call_of(self.runtime("once", node), [], node)
        self.out.append(placed(ast.For(target, walk, body or [placed(ast.Pass(), node)], []), node))

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
            if len(target.elts) == len(value.elts) and not has_star(target) and not has_star(value):
                self.parallel(target.elts, value.elts, node)
                return
        atom = self.atom(value)
        for target in targets:
            self.unpack(target, atom, node)

    def update(self, target: ast.expr, operator: ast.operator, value: ast.expr, node: ast.stmt) -> None:
        """`target operator= value`, evaluated in Python's order.

        A number is bound anew, an array is written into: only types tell, or the run. So `x += y` is
        `x = rt.iadd(x, y)` here, and becomes `x = x + y` where types show a number.
        """
        match target:
            case ast.Name(name):
                before = self.atom(placed(ast.Name(name, ast.Load()), target))
                updated = self.updated(operator, before, self.atom(value), node)
                self.assign(self.renamed.get(name, name), updated, node)
            case ast.Subscript(owner, index):
                place = ast.Subscript(self.atom(owner), self.index(index), ast.Store())
                if self.may_write(value):  # Python reads the item first
                    item = placed(ast.Subscript(place.value, place.slice, ast.Load()), target)
                    before = self.assign(self.fresh("item"), item, target)
                    after = self.updated(operator, before, self.atom(value), node)
                    stored = self.assign(self.fresh("item"), after, node)
                    self.out.append(placed(ast.Assign([placed(place, target)], stored), node))
                else:
                    written = ast.AugAssign(placed(place, target), operator, self.atom(value))
                    self.out.append(placed(written, node))
            case ast.Attribute(owner, attribute):
                holder = self.atom(owner)
                read = placed(ast.Attribute(holder, self.mangled(attribute), ast.Load()), target)
                before = self.assign(self.fresh(hint_for(target)), read, target)
                after = self.assign(
                    self.fresh(hint_for(target)),
                    self.updated(operator, before, self.atom(value), node),
                    node,
                )
                self.store_attribute(holder, attribute, after, target)
            case _:
                raise self.unsupported(target, "this target is not supported", "", "")

    def may_write(self, value: ast.expr) -> bool:
        """Whether evaluating an expression may change an array or a container: it calls what is not known."""
        for node in ast.walk(value):
            if isinstance(node, ast.NamedExpr):
                return True
            if not isinstance(node, ast.Call):
                continue
            path = self.constant_path(node.func)
            if path is None and isinstance(node.func, ast.Attribute) and node.func.attr in _READING_METHODS:
                continue
            if path is None or not _only_reads(path[1], node):
                return True
        return False

    def updated(self, operator: ast.operator, before: ast.expr, value: ast.expr, node: ast.AST) -> ast.expr:
        return call_of(self.runtime(UPDATES[type(operator)], node), [before, value], node)

    def store_attribute(self, owner: ast.expr, attribute: str, value: ast.expr, target: ast.AST) -> None:
        if isinstance(owner, ast.Name) and owner.id in self.constants:
            raise self.mutation(target, "an attribute of a module, class or function is written")
        place = placed(ast.Attribute(owner, self.mangled(attribute), ast.Store()), target)
        self.out.append(placed(ast.Assign([place], value), target))

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
            written |= stored_names(target)
            atoms.append(atom)
        for target, atom in zip(targets, atoms, strict=True):
            self.unpack(target, atom, node)

    def unpack(self, target: ast.expr, value: ast.expr, node: ast.AST) -> None:
        match target:
            case ast.Name(name):
                self.assign(self.renamed.get(name, name), value, node)
            case ast.Tuple(elements) | ast.List(elements):
                self.unpack_sequence(target, elements, value, node)
            case ast.Subscript(owner, index):
                place = ast.Subscript(self.atom(owner), self.index(index), ast.Store())
                self.out.append(placed(ast.Assign([placed(place, target)], value), node))
            case ast.Attribute(owner, attribute):
                self.store_attribute(self.atom(owner), attribute, value, target)
            case _:
                raise self.unsupported(target, "this target is not supported", "", "")

    def unpack_sequence(
        self, target: ast.expr, elements: list[ast.expr], value: ast.expr, node: ast.AST
    ) -> None:
        stars = [k for k, element in enumerate(elements) if isinstance(element, ast.Starred)]
        if not stars:
            count = placed(ast.Constant(len(elements)), node)
            checked = call_of(self.runtime("unpacked", node), [value, count], target)
            items = self.assign(self.fresh("items"), checked, target)
            for k, element in enumerate(elements):
                self.unpack_item(element, item_of(items, ast.Constant(k), element), element)
            return
        star, after = stars[0], len(elements) - stars[0] - 1
        count = placed(ast.Constant(len(elements) - 1), node)
        items = self.assign(
            self.fresh("items"),
            call_of(self.runtime("unpacked_at_least", node), [value, count], target),
            target,
        )
        for k, element in enumerate(elements[:star]):
            self.unpack_item(element, item_of(items, ast.Constant(k), element), element)
        starred = elements[star]
        assert isinstance(starred, ast.Starred)
        stop = ast.Constant(-after) if after else None
        rest = placed(
            ast.Subscript(items, placed(ast.Slice(ast.Constant(star), stop), starred), ast.Load()), starred
        )
        self.unpack_item(starred.value, rest, starred)
        for k, element in enumerate(elements[star + 1 :]):
            self.unpack_item(element, item_of(items, ast.Constant(k - after), element), element)

    def unpack_item(self, target: ast.expr, item: ast.expr, node: ast.AST) -> None:
        if isinstance(target, ast.Name):
            self.assign(self.renamed.get(target.id, target.id), item, node)
        else:
            self.unpack(target, self.assign(self.fresh("item"), item, node), node)


_READING_METHODS = frozenset(
    {"sum", "mean", "max", "min", "dot", "prod", "copy", "reshape", "ravel", "astype"}
)


def _only_reads(function: Any, call: ast.Call) -> bool:
    """Whether a known function is one of NumPy's, `math`'s or Python's, and writes and calls back nothing."""
    if function in (map, filter, np.apply_along_axis, np.apply_over_axes, np.fromfunction, np.piecewise):
        return False
    if any(k.arg in ("key", "out", None) for k in call.keywords) or len(call.args) > getattr(
        function, "nin", 99
    ):
        return False
    module = getattr(function, "__module__", None) or type(function).__module__
    return module.split(".")[0] in ("numpy", "math", "builtins") and not writes(function)
