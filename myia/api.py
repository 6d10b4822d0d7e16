"""What a user calls: arguments in, gradients out."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection
from operator import is_
from types import FunctionType, MethodType
from typing import Any, overload
from weakref import WeakKeyDictionary

import numpy as np

from myia._runtime import enforces_marks, enter, leave, signature
from myia.analysis.shapes import Axes, axes_in
from myia.codegen.load import annotate, user_place
from myia.codegen.page import gradient_page
from myia.errors import (
    Location,
    MyiaError,
    NotDifferentiable,
    RecursionDepth,
    SourceUnavailable,
    UnknownArgument,
    UnsupportedSyntax,
)
from myia.optimise import ALL as OPTIMISATIONS
from myia.parse.program import blocks_of, is_once
from myia.parse.source import all_arguments, python_function, source_of
from myia.parse.types import (
    AnyType,
    Array,
    Bottom,
    Dict,
    List,
    NumpyScalar,
    Scalar,
    Tuple,
    Type,
    describe,
    type_of,
)
from myia.pipeline import Compiled, compile_gradient
from myia.plan.choose import Known, Plans, Stretch, refusal
from myia.plot import Trace
from myia.report import MemoryReport, Recorder, RunAgain
from myia.runtime import marks
from myia.runtime.adjoints import like
from myia.runtime.disk import Folder
from myia.runtime.snapshots import Budget, Turns, budget, memory_budget

Wrt = int | str | tuple[int | str, ...]
Donate = int | str | tuple[int | str, ...]
Optimise = bool | Collection[str]
Memory = int | float | str | None


@overload
def grad(
    function: Callable[..., Any],
    *,
    wrt: Wrt = 0,
    donate: Donate = (),
    optimise: Optimise = True,
    memory: Memory = None,
    disk: Folder = None,
) -> Gradient: ...
@overload
def grad(
    function: None = None,
    *,
    wrt: Wrt = 0,
    donate: Donate = (),
    optimise: Optimise = True,
    memory: Memory = None,
    disk: Folder = None,
) -> Callable[[Callable[..., Any]], Gradient]: ...
def grad(
    function: Callable[..., Any] | None = None,
    *,
    wrt: Wrt = 0,
    donate: Donate = (),
    optimise: Optimise = True,
    memory: Memory = None,
    disk: Folder = None,
) -> Any:
    """The gradient of a real-valued function, as a function of the same arguments.

    `wrt` selects arguments by position or name. One selected argument gives one gradient, a tuple
    of them gives a tuple. A gradient has the structure, shape and dtype of its argument: a float for a
    float, an array for an array, a list, tuple or dictionary for a container of those.

    A function may write into its arguments. The caller's are never changed: the gradient makes private copies
    of those that are written. `donate` names arguments, by position or name, that the caller gives away: they
    are written into, and hold nothing of use afterwards.

    `optimise` names the optimisations to do, of `myia.OPTIMISATIONS`; True stands for all, False for none.
    They change no result, only what is emitted: its time, its memory, how close it is to the program.

    `memory` is the most that the arrays of a call may take, beside its arguments: "500 MB", a number of
    bytes, a float for a part of the memory that is free now, or "minimal". Loops are then reversed from
    snapshots of their state, as many as there is room for, and run again from there; the gradient is the same
    to the last bit. Raises MemoryBudget, with the least that will do, if there is not enough. None, the
    default, keeps what it needs. `disk` is a folder for snapshots that memory has no room for, which would
    otherwise be computed again: they go to files there, which are gone when the call ends. Raises
    SnapshotFile if one cannot be written, or does not come back as it was.

    Works as a decorator, `@grad` or `@grad(wrt="w")`. Compiling happens at the first call for each
    combination of argument types.

    Raises, at the first call, the errors of `myia.errors`: NonScalarOutput, NotDifferentiable,
    UnknownArgument, UnsupportedSyntax, MissingRule, SourceUnavailable, RecursionDepth.

    >>> from myia.parse._doctest import example      # sin(x) * x + 1
    >>> round(grad(example)(0.5), 12)
    0.918216819549
    """
    if function is None:
        return functools.partial(grad, wrt=wrt, donate=donate, optimise=optimise, memory=memory, disk=disk)
    return Gradient(function, wrt, False, donate, optimise, memory, disk)


@overload
def value_and_grad(
    function: Callable[..., Any],
    *,
    wrt: Wrt = 0,
    donate: Donate = (),
    optimise: Optimise = True,
    memory: Memory = None,
    disk: Folder = None,
) -> Gradient: ...
@overload
def value_and_grad(
    function: None = None,
    *,
    wrt: Wrt = 0,
    donate: Donate = (),
    optimise: Optimise = True,
    memory: Memory = None,
    disk: Folder = None,
) -> Callable[[Callable[..., Any]], Gradient]: ...
def value_and_grad(
    function: Callable[..., Any] | None = None,
    *,
    wrt: Wrt = 0,
    donate: Donate = (),
    optimise: Optimise = True,
    memory: Memory = None,
    disk: Folder = None,
) -> Any:
    """Like `grad`, but gives the pair of the function's value and its gradient."""
    if function is None:
        return functools.partial(
            value_and_grad, wrt=wrt, donate=donate, optimise=optimise, memory=memory, disk=disk
        )
    return Gradient(function, wrt, True, donate, optimise, memory, disk)


def explain(
    function: Callable[..., Any],
    *args: Any,
    wrt: Wrt = 0,
    format: str = "text",
    report: MemoryReport | None = None,
) -> str:
    """Every stage of the compilation for these arguments, as Python text; nothing is run.

    With `format="html"`, a page for a browser instead: the function beside the emitted one, with the lines of
    both linked. `report`, of `memory_report`, puts the bytes that a run kept beside the lines of the page.

    Raises UnknownArgument for any other `format`, and for a `report` of something else.
    """
    _check_format(format, report)
    gradient = function if isinstance(function, Gradient) else Gradient(function, wrt, with_value=False)
    compiled, _ = gradient._compiled_for(args, {})
    if format == "html":
        return gradient_page(gradient.__name__, compiled.listing, compiled.sources, report)
    return "\n\n".join(f"# == {title} ==\n{text.rstrip()}" for title, text in compiled.stages()) + "\n"


def _check_format(format: str, report: MemoryReport | None) -> None:
    if format not in ("text", "html"):
        raise UnknownArgument(
            f"format={format!r} is no format of explain",
            reason="there are 'text' and 'html'",
            remedy="give one of these",
        )
    if report is not None and format != "html":
        raise UnknownArgument(
            "report= is given for text",
            reason="only a page shows what a run kept",
            remedy="add format='html', or print the report",
        )
    if report is not None and not isinstance(report, MemoryReport):
        raise UnknownArgument(
            f"report={report!r} is no memory report",
            reason="the page shows what a run kept, by line",
            remedy="give grad(f).memory_report(*args)",
        )


class Gradient:
    """A function that computes a gradient. Made by `grad` and `value_and_grad`."""

    __name__: str
    primal: Callable[..., Any]
    """The function it is the gradient of."""

    def __init__(
        self,
        function: Callable[..., Any],
        wrt: Wrt,
        with_value: bool,
        donate: Donate = (),
        optimise: Optimise = True,
        memory: Memory = None,
        disk: Folder = None,
    ) -> None:
        if isinstance(function, Gradient):
            raise UnsupportedSyntax(
                f"the gradient of the gradient of {function.__name__}",
                reason="higher derivatives are not supported yet",
                remedy="write the inner gradient as a function of its own",
            )
        if not callable(function):
            raise SourceUnavailable(
                f"{function!r} is not a function",
                reason="only functions have gradients",
                remedy="pass a function",
            )
        self.primal = function
        self.wrt = wrt
        self.donate = donate
        self.optimise = _optimisations(optimise)
        self.memory = memory
        self._budget = memory_budget(memory, disk)
        self._turns: Turns = {}
        self._plans = Plans()
        self.with_value = with_value
        self._single = not isinstance(wrt, tuple)
        self._latest: Compiled | None = None
        self._adopt(*_plain(function))
        self.__name__ = type(function).__name__
        functools.update_wrapper(self, function, updated=())

    def _adopt(self, function: FunctionType, bound: tuple[Any, ...]) -> None:
        """Take this plain function, and the arguments bound to it, as what is differentiated."""
        self._function, self._bound = function, bound
        self._parameters = _Parameters(function)
        self._selected = self._positions(self.wrt)
        self._donated = frozenset(() if self.donate == () else self._positions(self.donate))
        self._plain_count = len(self._parameters.names) if self._parameters.plain else -1
        self._compiled: dict[tuple[Any, ...], Compiled] = {}

    # -- calling ----------------------------------------------------------------------------------

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        compiled, arguments = self._compiled_for(args, kwargs)
        try:
            results, _ = self._run(compiled, arguments)
            if self._single:
                x, gradient = arguments[self._selected[0]], results[1] if self.with_value else results
                if type(gradient) is not float or type(x) is not float:
                    gradient = like(gradient, x, [])
            else:
                given: list[Any] = []
                found = results[1:] if self.with_value else results if len(self._selected) > 1 else (results,)
                gradient = tuple(
                    [like(d, arguments[k], given) for d, k in zip(found, self._selected, strict=True)]
                )
        except BaseException as error:
            _explain(error, self.__name__)
            raise
        return (leave(results[0]), gradient) if self.with_value else gradient

    def _run(self, compiled: Compiled, arguments: tuple[Any, ...]) -> tuple[Any, Budget | None]:
        """What the emitted function gives, and the budget that it kept."""
        if self._budget is not None:
            found, limits, *_ = self._run_within(compiled, arguments, None)
            return found, limits
        given = enter(arguments) if compiled.takes_arrays else arguments
        if enforces_marks():
            with marks.call():
                return compiled.run(*given), None
        return compiled.run(*given), None

    def _run_within(
        self, plain: Compiled, arguments: tuple[Any, ...], recorder: Recorder | None
    ) -> tuple[Any, Budget, Known, int]:
        """Run within the budget, by the plan for these arguments; also gives the peak.

        Raises MemoryBudget if that takes more.
        """
        assert self._budget is not None
        types, axes = tuple(map(type_of, arguments)), axes_in(signature(arguments, type_of))
        donated = self._donated if recorder is None else frozenset[int]()
        make = functools.partial(self._compiled_gradient, types, axes, donated, recorder)
        while True:
            limits = self._budget(self._turns)
            chosen = self._plans.chosen(plain, recorder is None, arguments, limits.bytes, make)
            assert chosen.compiled is not None
            if recorder is None:
                self._latest = chosen.compiled
            else:
                recorder.trace = Trace()
                limits.watch = recorder.trace.sample
            with budget(limits), Stretch() as stretch:
                # Entered here, so that what this takes is counted.
                found = chosen.compiled.run(*(enter(arguments) if plain.takes_arrays else arguments))
            peak = stretch.peak
            if recorder is not None and recorder.trace is not None:
                recorder.trace.sample()  # which hides peaks from the stretch
                peak = max(peak, recorder.trace.peak)
            if limits.bytes is None or limits.loops or peak <= limits.bytes:
                return found, limits, chosen, peak
            del found
            better = self._plans.again(chosen, peak)
            if donated or not better or plain.body is None or not plain.body.quiet:
                raise refusal(limits.bytes, min([peak, *chosen.tried.values()]))

    def __get__(self, owner: Any, kind: type | None = None) -> Any:
        return self if owner is None else MethodType(self, owner)

    def __repr__(self) -> str:
        return f"<gradient of {self.__name__} with respect to {self.wrt!r}>"

    # -- looking inside ---------------------------------------------------------------------------

    @property
    def source(self) -> str:
        """The emitted text of the latest specialisation. Raises SourceUnavailable before the first."""
        if self._latest is None:
            raise SourceUnavailable(
                f"the gradient of {self.__name__} has not been compiled yet",
                reason="it is specialised on the types of the arguments of a call",
                remedy="call it first, or use source_for(*args)",
            )
        return self._latest.source

    def source_for(self, /, *args: Any, **kwargs: Any) -> str:
        """The emitted text for arguments of these types, without running it."""
        return self._compiled_for(args, kwargs)[0].source

    def memory_report(self, /, *args: Any, **kwargs: Any) -> MemoryReport:
        """What a call with these arguments does with memory.

        What is kept for the reverse sweep, where, how many bytes, and why; what is let go of early, taken
        over by results, and computed again.

        Compiles and runs the gradient once, with all that counted; the result is dropped. Prints as a table;
        `rows`, `bytes` and `peak` are for programs, `plot(path)` draws memory over time. What the caller
        holds anyway is not counted. With `memory=` and `disk=` (unless these are arguments of the function)
        it tells of the gradient with that budget.
        """
        if "memory" in kwargs and "memory" not in self._parameters.names:
            other = Gradient(
                self.primal,
                self.wrt,
                self.with_value,
                optimise=tuple(self.optimise),
                memory=kwargs.pop("memory"),
                disk=None if "disk" in self._parameters.names else kwargs.pop("disk", None),
            )
            return other.memory_report(*args, **kwargs)
        _, arguments = self._compiled_for(args, kwargs)
        recorder = Recorder(holds=self.memory is None)
        types, axes = tuple(map(type_of, arguments)), axes_in(signature(arguments, type_of))
        compiled = self._compiled_gradient(types, axes, frozenset(), recorder)
        recorder.given(arguments)
        recorder.trace = Trace()
        limits: Budget | None = None
        blocks: list[RunAgain] = []
        if self._budget is None:
            self._run(compiled, arguments)
        else:
            _, limits, chosen, _ = self._run_within(compiled, arguments, recorder)
            blocks = self._run_again(chosen)
        trace = recorder.trace
        trace.sample()
        loops = {} if limits is None else {user_place(*k) or k: loop for k, loop in limits.loops.items()}
        most = None if limits is None else limits.bytes
        rows = list(recorder.kept.values())
        return MemoryReport(self.__name__, rows, trace.peak, most, loops, blocks, trace.samples)

    def _run_again(self, known: Known) -> list[RunAgain]:
        """The blocks of a plan, for a report."""
        if known.plan is None or known.model is None or known.compiled is None:
            return []
        typed, _ = known.compiled.notes[-1]
        statements = [s for s in typed.program.body for s in (blocks_of(s)[0] if is_once(s) else [s])]
        found = []
        for start, stop in known.plan.blocks:
            first, last = statements[start].lineno, statements[stop - 1].lineno
            spared, seconds = known.model.spared((start, stop)), sum(known.model.seconds[start:stop])
            found.append(RunAgain(typed.program.source.filename, first, last, spared, seconds))
        return found

    # -- compiling --------------------------------------------------------------------------------

    def _compiled_for(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Compiled, tuple[Any, ...]]:
        if self._bound:
            function, bound = _plain(self.primal)
            if function is not self._function:  # the class of a callable object has another __call__ now
                self._adopt(function, bound)
            args = self._bound + args
        if kwargs or len(args) != self._plain_count:
            args = tuple(flatten_call(self._function, args, kwargs)[0])
        key = signature(args, type_of)
        compiled = self._compiled.get(key)
        if compiled is None or not compiled.holds():
            compiled = self._compile(key, tuple(map(type_of, args)))
        self._latest = compiled
        return compiled, args

    def _compile(self, key: tuple[Any, ...], types: tuple[Type, ...]) -> Compiled:
        for position in self._selected:
            self._check_differentiable(position, types[position])
        compiled = self._compiled_gradient(types, axes_in(key), self._donated)
        if len(self._compiled) >= 256:
            self._compiled.pop(next(iter(self._compiled)))
        self._compiled[key] = compiled
        return compiled

    def _compiled_gradient(
        self,
        types: tuple[Type, ...],
        axes: tuple[Axes | None, ...],
        donated: frozenset[int],
        recorder: Recorder | None = None,
        blocks: tuple[tuple[int, int, str], ...] = (),
        divided: bool = False,
    ) -> Compiled:
        return compile_gradient(
            self._function,
            types,
            axes,
            self._selected,
            donated,
            recorder,
            self.optimise,
            self.with_value,
            self.memory is not None,
            blocks,
            divided,
        )

    def _positions(self, wrt: Wrt) -> tuple[int, ...]:
        chosen = wrt if isinstance(wrt, tuple) else (wrt,)
        names = self._parameters.names
        first = len(self._bound)
        if not first and names and names[0] in ("self", "cls"):
            first = 1
        positions = []
        for item in chosen:
            if isinstance(item, str) and item in names[len(self._bound) :]:
                positions.append(names.index(item))
            elif isinstance(item, (int, np.integer)) and not isinstance(item, bool):
                count = self._parameters.positional
                if not -(count - first) <= item < count - first:
                    raise self._unknown(f"argument {item}", item)
                positions.append(int(item) + (first if item >= 0 else count))
            else:
                raise self._unknown(f"argument {item!r}", item)
        if not positions:
            raise self._unknown("no argument", wrt)
        if len(set(positions)) < len(positions):
            raise self._unknown("an argument twice", wrt)
        return tuple(positions)

    def _unknown(self, what: str, item: Any) -> UnknownArgument:
        names = ", ".join(self._parameters.names[len(self._bound) :])
        return UnknownArgument(
            f"wrt={item!r} selects {what} of {self._function.__name__}",
            reason=f"{self._function.__name__} takes ({names})",
            remedy="give the position or the name of one of its arguments",
            location=_definition(self._function),
        )

    def _check_differentiable(self, position: int, t: Type) -> None:
        name = self._parameters.names[position]
        bad = _without_derivative(t)
        if bad is None:
            return
        what = f"the selected argument {name!r} is {_article(describe(t))}"
        if bad == "complex":
            reason, remedy = (
                "the gradient with respect to a complex number needs a convention",
                "pass the real and the imaginary part as two real arguments",
            )
        elif bad == "number":
            reason, remedy = (
                "an integer or boolean cannot be varied continuously",
                f"pass a float (float({name}) or {name}.astype(float)), or select another argument",
            )
        else:
            reason, remedy = (
                "only floats, float arrays, and lists, tuples and dictionaries of them have gradients",
                "select the arrays in it, each an argument of its own",
            )
        raise NotDifferentiable(
            what, reason=reason, remedy=remedy, location=_definition(self._function, name)
        )


def _optimisations(chosen: Optimise) -> frozenset[str]:
    """The names of the optimisations to do."""
    if isinstance(chosen, bool):
        return frozenset(OPTIMISATIONS) if chosen else frozenset()
    names = frozenset((chosen,) if isinstance(chosen, str) else chosen)
    for name in sorted(names - OPTIMISATIONS.keys()):
        raise UnknownArgument(
            f"optimise={name!r} is no optimisation",
            reason=f"there are {', '.join(OPTIMISATIONS)}",
            remedy="name some of these, or give True or False",
        )
    return names


class _Parameters:
    """What a call needs to know of a function's parameters, in the order of the compiled function."""

    def __init__(self, function: FunctionType) -> None:
        code = function.__code__
        count = code.co_argcount + code.co_kwonlyargcount
        count += bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
        self.names = code.co_varnames[:count]
        self.positional = code.co_argcount
        self.plain = count == code.co_argcount


def flatten_call(
    function: FunctionType, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[list[Any], dict[Any, tuple[int, Any]]]:
    """The value of every parameter, `*args` as a tuple and `**kwargs` as a dictionary.

    The second result says, for each positional argument by number and each keyword by name, which
    parameter took it, and under which index or key of a starred one. Raises TypeError as a call would.
    """
    signature = _signature_of(function)
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    names = _Parameters(function).names
    positions = {name: k for k, name in enumerate(names)}
    places: dict[Any, tuple[int, Any]] = {}
    number = 0
    for name, parameter in signature.parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL:
            for k in range(len(bound.arguments[name])):
                places[number] = (positions[name], k)
                number += 1
        elif parameter.kind is parameter.VAR_KEYWORD:
            places.update({key: (positions[name], key) for key in bound.arguments[name]})
        elif name in kwargs and parameter.kind is not parameter.POSITIONAL_ONLY:
            places[name] = (positions[name], None)
        elif parameter.kind is not parameter.KEYWORD_ONLY and number < len(args):
            places[number] = (positions[name], None)
            number += 1
    return [bound.arguments[name] for name in names], places


_signatures: WeakKeyDictionary[FunctionType, tuple[Any, Any, Any, inspect.Signature]] = WeakKeyDictionary()


def _signature_of(function: FunctionType) -> inspect.Signature:
    """The signature with the defaults the function has now."""
    known = _signatures.get(function)
    now = (function.__code__, function.__defaults__, tuple((function.__kwdefaults__ or {}).values()))
    if known is None or not (known[0] is now[0] and known[1] is now[1] and all(map(is_, known[2], now[2]))):
        known = _signatures[function] = (*now, inspect.signature(function, follow_wrapped=False))
    return known[3]


def _plain(function: Any) -> tuple[FunctionType, tuple[Any, ...]]:
    return python_function(function)


def _without_derivative(t: Type) -> str | None:
    """Why a selected argument of this type has no gradient; None if it has one."""
    match t:
        case Scalar(kind):
            return (
                None
                if kind in ("float", "real")
                else {"complex": "complex", "int": "number", "bool": "number"}.get(kind, "object")
            )
        case NumpyScalar(dtype) | Array(dtype):
            if dtype is None or dtype.kind == "f":
                return None
            return {"c": "complex", "i": "number", "u": "number", "b": "number"}.get(dtype.kind, "object")
        case Tuple(items) | Dict(_, items):
            found = [_without_derivative(item) for item in items]
            return None if not found or None in found else found[0]
        case List(item):
            return _without_derivative(item)
        case AnyType() | Bottom():
            return None
    return "object"


def _article(what: str) -> str:
    return f"{'an' if what[0] in 'aeiou' else 'a'} {what}"


def _definition(function: FunctionType, parameter: str | None = None) -> Location | None:
    """Where a function, or one of its parameters, is written."""
    try:
        source = source_of(function)
    except SourceUnavailable:
        return None
    for argument in all_arguments(source.node.args):
        if argument.arg == parameter:
            return source.location(argument)
    return Location(source.filename, source.node.lineno)


def _explain(error: BaseException, name: str) -> None:
    """Give an error the user's place: a note, or the location of a refusal.

    Raises RecursionDepth in the place of a bare RecursionError.
    """
    if isinstance(error, RecursionError) and not isinstance(error, MyiaError):
        raise RecursionDepth(
            f"the gradient of {name} recurses deeper than the interpreter allows",
            reason=f"a recursive function's gradient recurses as deep as the function: {error}",
            remedy="raise the limit with sys.setrecursionlimit, or write the recursion as a loop",
            location=_deepest_place(error),
        ) from error
    if not isinstance(error, MyiaError):
        annotate(error)
    elif error.location is None:
        error.location = _deepest_place(error)


def _deepest_place(error: BaseException) -> Location | None:
    place = None
    traceback = error.__traceback__
    while traceback is not None:
        place = user_place(traceback.tb_frame.f_code.co_filename, traceback.tb_lineno) or place
        traceback = traceback.tb_next
    return None if place is None else Location(*place)
