"""The passes, in order.

function --parse--> normal form --adjoint--> adjoint normal form --codegen--> Python
"""

from __future__ import annotations

import ast
import functools
import linecache
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from types import FunctionType
from typing import Any

import numpy as np

import myia.adjoint.rules  # noqa: F401 - fills the tables
from myia._runtime import enforces_marks
from myia.adjoint.code import load_name, runtime_call, shadows_call
from myia.adjoint.control import Sweeps, sweeps
from myia.adjoint.mirror import free_names
from myia.adjoint.reverse import Reversal, reverse
from myia.analysis.activity import activity
from myia.analysis.alias import RESULT, AliasAnalysis, Aliases, is_reference, may_refer
from myia.analysis.liveness import pinned_in
from myia.analysis.mutation import refuse_mutation, refuse_unseen_writes
from myia.analysis.shapes import Axes, Shapes, shapes_of
from myia.codegen.emit import Printer
from myia.codegen.fold import fold_temporaries
from myia.codegen.listing import Known, Listing
from myia.codegen.load import LoadedModule, load
from myia.codegen.lower import Lowering
from myia.codegen.marks import mark_kept
from myia.codegen.namespace import Namespace, OutsideData
from myia.codegen.observe import observe
from myia.errors import NotDifferentiable
from myia.optimise import ALL, Chain, Code, free_dead, optimised
from myia.parse.guard import guard
from myia.parse.infer import Inference
from myia.parse.normalize import show, text_of
from myia.parse.program import Program, names_read, names_written, statements_of
from myia.parse.settle import writes_in_place
from myia.parse.source import Source
from myia.parse.trees import own_nodes
from myia.parse.typed import Typed
from myia.parse.types import (
    ANY,
    NumpyScalar,
    Scalar,
    Type,
    describe,
    is_complex,
    is_number,
    may_be_number,
    may_hold_array,
)
from myia.plan.blocks import divide_recursion, is_recursive, make_blocks
from myia.plan.body import blocks_in, body_of
from myia.plan.measure import Body
from myia.report import Recorder, Site
from myia.runtime.shadows import Shadows

PairKey = tuple[Typed, tuple[str, ...], frozenset[str]]
"""A called program, its active arguments, and those whose adjoints are in shadows."""


@dataclass(frozen=True, eq=False)
class Compiled:
    """A gradient for one tuple of argument types.

    `run(*arguments)` gives the value, if that is wanted, and the adjoints of the selected arguments: a tuple
    of them, or the only one.
    """

    module: LoadedModule
    run: Any
    holds: Callable[[], bool]
    """Whether everything the compiler resolved is still as it was."""
    notes: tuple[tuple[Typed, Sweeps], ...]
    listing: Listing
    """The emitted text, with what is known of each line."""
    returned: tuple[int, ...] = ()
    """Of a pair: the positions of the arguments whose adjoints the backward half gives."""
    body: Body | None = None
    """What a plan for a budget of memory needs to know; None if there is none to be had."""
    recursive: bool = False
    """Whether some function calls itself."""
    takes_arrays: bool = True
    """Whether an argument may be or hold an array, which the emitted code wants as a native one."""

    def stages(self) -> Iterator[tuple[str, str]]:
        """Each stage of the compilation with its title, as Python text."""
        for typed, both in self.notes:
            program = typed.program
            types = {name: t for name, t in typed.types.items() if name not in program.constants}
            yield f"{program.name}: normal form", show(program)
            yield f"{program.name}: types", "\n".join(f"{name}: {describe(t)!r}" for name, t in types.items())
            yield f"{program.name}: forward sweep", _unparse([*both.setup, *both.forward])
            yield f"{program.name}: reverse sweep", _unparse(both.reverse)
        yield "emitted", self.source

    @property
    def source(self) -> str:
        return self.module.text

    @property
    def sources(self) -> list[Source]:
        """The user's functions that were compiled, the differentiated one first."""
        return [typed.program.source for typed, _ in reversed(self.notes)]


def compile_gradient(
    function: FunctionType,
    arguments: tuple[Type, ...],
    axes: tuple[Axes | None, ...],
    selected: tuple[int, ...],
    donated: frozenset[int] = frozenset(),
    recorder: Recorder | None = None,
    optimise: frozenset[str] = frozenset(ALL),
    with_value: bool = True,
    checkpointed: bool = False,
    blocks: Sequence[tuple[int, int, str]] = (),
    divided: bool = False,
) -> Compiled:
    """Compile the gradient of `function` with respect to the selected parameters.

    `axes`: what is known of the arguments' shapes (`analysis/shapes.py`); `donated`: the parameters whose
    arguments may be written into; `recorder`: counts what a call keeps; `optimise`: the names of the
    optimisations to do (`myia.optimise.ALL`); `with_value`: the function's value is wanted too;
    `checkpointed`: loops are reversed from snapshots. `blocks`: the statements of the body, from the first
    number to before the second, that are run again rather than kept, with the reason; `divided`: functions
    that call themselves are run again but for the calls.
    """
    unit = _Unit(recorder=recorder, optimise=optimise, with_value=with_value, checkpointed=checkpointed)
    if recorder is not None:
        unit.namespace.values["recorder"] = recorder
        unit.namespace.reserved.add("recorder")
    program = unit.inference.program_of(function)
    typed = unit.inference.infer(program, arguments)
    wrt = tuple(program.parameters[k].name for k in selected)
    given = frozenset(program.parameters[k].name for k in donated)
    unit.check_result(typed)
    divide_recursion(unit.inference, divided)
    make_blocks(typed, [(start, stop) for start, stop, _ in blocks])
    unit.why = [why for _, _, why in blocks]
    unit.uses_shadows = writes_in_place(typed)
    body = unit.joined(typed, wrt, given, axes)
    compiled = unit.finish(program.name, f"{program.name}_grad")
    recursive = checkpointed and is_recursive(unit.inference)
    takes_arrays = any(map(may_hold_array, arguments))
    return replace(compiled, takes_arrays=takes_arrays, body=body, recursive=recursive)


def compile_pair(
    function: FunctionType, arguments: tuple[Type, ...], active: tuple[int, ...], shadowed: bool = False
) -> Compiled:
    """Compile `f_forward` and `f_backward` for a function met at run time.

    `shadowed`: the adjoints of arrays and containers are in shadows. If they are not, the function may
    not write into its arguments; raises UnsupportedMutation.
    """
    unit = _Unit(uses_shadows=shadowed)
    program = unit.inference.program_of(function)
    typed = unit.inference.infer(program, arguments)
    divide_recursion(unit.inference, everywhere=False)
    forced: frozenset[str] = frozenset()
    if shadowed:
        forced = frozenset(n for n, t in zip(program.arguments, arguments, strict=True) if may_refer(t))
        forced |= {RESULT}
    else:
        refuse_unseen_writes(typed, unit.analysis)
        unit.uses_shadows = writes_in_place(typed)
    wanted = tuple(program.arguments[k] for k in active)
    base = unit.pair_of(typed, wanted, forced)
    compiled = unit.finish(program.name, f"{base}_forward", f"{base}_backward")
    if unit.uses_shadows and not shadowed:
        forward, backward = compiled.run
        compiled = replace(compiled, run=(forward, lambda record, d: backward(record, d, Shadows())))
    returned = unit.returned[typed, wanted, forced]
    return replace(compiled, returned=tuple(k for k in active if program.arguments[k] in returned))


@dataclass
class _Unit:
    """One emitted module: a gradient and the pairs of the functions it calls."""

    inference: Inference = field(default_factory=Inference)
    analysis: AliasAnalysis = field(default_factory=AliasAnalysis)
    namespace: Namespace = field(default_factory=Namespace)
    printer: Printer = field(default_factory=lambda: Printer(""))
    pairs: dict[PairKey, str] = field(default_factory=dict)
    returned: dict[PairKey, tuple[str, ...]] = field(default_factory=dict)
    notes: list[tuple[Typed, Sweeps]] = field(default_factory=list)
    checked: set[Typed] = field(default_factory=set)
    recorder: Recorder | None = None
    optimise: frozenset[str] = frozenset(ALL)
    with_value: bool = True
    """Whether the gradient gives the value too."""
    checkpointed: bool = False
    """Whether loops are reversed from snapshots, to keep a budget of memory."""
    chains: list[tuple[Chain, str]] = field(default_factory=list)
    """The functions of one pass over memory that the others call, with the user's file."""
    why: list[str] = field(default_factory=list)
    """Why the blocks of the outermost function are run again, in their order."""
    uses_shadows: bool = False
    """Whether something is written in place anywhere: the backward halves then take the shadows."""

    # -- the outermost function -------------------------------------------------------------------

    def joined(
        self, typed: Typed, wrt: tuple[str, ...], donated: frozenset[str], axes: tuple[Axes | None, ...]
    ) -> Body | None:
        """Emit one function that runs both sweeps; gives what a plan needs to know of it."""
        program = typed.program
        name = self.namespace.fresh(f"{program.name}_grad")
        assert name == f"{program.name}_grad"
        result, fresh = program.result, self.fresh_for(program)
        reversal, both = self.differentiate(typed, frozenset(wrt), fresh, axes)
        adjoints = reversal.adjoint_names
        seed: list[ast.stmt] = []
        private = self.private(typed, reversal.aliases, donated)
        if self.uses_shadows and (
            "shadows" in free_names(both.reverse) or any(map(reversal.kept, (result, *wrt)))
        ):
            seed.append(_assign("shadows", runtime_call("Shadows"), _return_of(program)))
        at = _wrong_return(typed) or _return_of(program)
        one = runtime_call("ones_like", ast.Name(result, ast.Load()))
        if reversal.kept(result):
            given = shadows_call("add", load_name(result), ast.Constant(0.0), one)
            seed.append(_assign(adjoints[result], given, at))
        elif result in adjoints:
            seed.append(_assign(adjoints[result], ast.Constant(1.0) if _is_double(typed.result) else one, at))
        elif not is_number(typed.result):
            seed.append(ast.copy_location(ast.Expr(one), at))
        ended: list[ast.expr] = []
        bound = reversal.bound_at_start
        for argument in wrt:
            if reversal.kept(argument):
                own = load_name(adjoints[argument]) if argument in bound else ast.Constant(0.0)
                ended.append(shadows_call("tree", load_name(argument), own))
            elif argument in adjoints and argument in bound:
                ended.append(ast.Name(adjoints[argument], ast.Load()))
            else:
                ended.append(ast.Constant(0.0))  # made an array or a container by the API
        kept: list[ast.stmt] = []
        if not self.with_value:
            pass
        elif reversal.aliases.in_shadow(result):
            value = fresh("value")  # the reverse sweep restores earlier elements
            kept = [_assign(value, runtime_call("detached", load_name(result)), at)]
            result = value
        elif any(result in names_written(s) for s in _all_statements(both.reverse)):
            # The reverse sweep restores earlier values of the variable.
            value = fresh("value")
            kept = [_assign(value, ast.Name(result, ast.Load()), at)]
            result = value
        value_of = [ast.Name(result, ast.Load())] if self.with_value else []
        returned = _result_of([*value_of, *ended])
        lower = self.lowering(typed, reversal)
        wanted = ", ".join(wrt)
        doc = f"d {program.name} / d {wanted}  ({_file(program)}), specialised for {_signature(typed, axes)}."
        sweep = [
            *self.namespace.load(program),
            *lower.block([*private, *both.setup, *both.forward, *self.counted(both), *kept]),
        ]
        back = lower.block([*seed, *both.reverse])
        end = lower.block([returned])
        alike = _alike(program.arguments, axes) if "shapes" in self.optimise else []
        code = self.optimised(lower, reversal, both, fresh, program.arguments, sweep, back, end, alike=alike)
        if self.why:
            self.printer.notes.update(zip(blocks_in(code.parts[0]), self.why, strict=True))
        titled = list(zip(("forward", "reverse", ""), code.parts, strict=True))
        known = Known(code.types, both.stacks, both.plans)
        self.printer.function(
            name, list(program.arguments), doc, titled, program.source.filename, known=known
        )
        if not self.checkpointed or any(both.plans for _, both in self.notes):
            return None
        return body_of(typed, reversal, both, wrt, self.uses_shadows, self.namespace)

    # -- called functions -------------------------------------------------------------------------

    def pair_of(self, typed: Typed, active: tuple[str, ...], shadowed: frozenset[str] = frozenset()) -> str:
        """Emit `f_forward` and `f_backward` for a callee; gives `f`.

        `shadowed`: the arguments, and perhaps the result, whose adjoints the caller keeps in shadows. The
        backward half gives the adjoints of the other active arguments, and of those that may be numbers.
        """
        key = (typed, active, shadowed)
        if key in self.pairs:
            return self.pairs[key]
        program = typed.program
        base = self.pairs[key] = self.base_name(program)
        self.returned[key] = tuple(
            a for a in active if a not in shadowed or not is_reference(typed.types.get(a, ANY))
        )
        fresh = self.fresh_for(program)
        reversal, both, given = self.differentiate_pair(typed, active, shadowed, fresh)
        adjoints, result = reversal.adjoint_names, program.result
        lower = self.lowering(typed, reversal)
        record = _tuple([ast.Name(name, ast.Load()) for name in both.saved])
        counted = self.counted(both)
        forward = [
            *both.forward,
            *counted,
            _result_of([ast.Name(result, ast.Load()), record], _return_of(program)),
        ]
        d_result = adjoints.get(result) or fresh(f"d_{result}")
        unpack: list[ast.stmt] = []
        if both.saved:
            targets: list[ast.expr] = [ast.Name(name, ast.Store()) for name in both.saved]
            target = ast.Tuple(targets, ast.Store())
            unpack = [ast.Assign([target], ast.Name("record", ast.Load()))]
        if reversal.kept(result) and RESULT not in shadowed:
            seeded = shadows_call("add", load_name(result), ast.Constant(0.0), load_name(d_result))
            unpack.append(_assign(d_result, seeded, _return_of(program)))
        ended: list[ast.expr] = []
        for argument in self.returned[key]:
            if argument in adjoints and argument in reversal.bound_at_start:
                ended.append(ast.Name(adjoints[argument], ast.Load()))
            elif reversal.kept(argument) and argument not in shadowed:
                ended.append(shadows_call("tree", load_name(argument), ast.Constant(0.0)))
            elif argument in given:
                ended.append(runtime_call("zeros_like", ast.Name(given[argument], ast.Load())))
            else:
                ended.append(ast.Constant(0.0))
        place = f"({_file(program)}), specialised for {_signature(typed)}."
        sweep = [*self.namespace.load(program), *lower.block([*both.setup, *forward])]
        back = lower.block([*unpack, *both.reverse, _result_of(ended)])
        code = self.optimised(lower, reversal, both, fresh, program.arguments, sweep)
        self.printer.function(
            f"{base}_forward",
            list(program.arguments),
            f"{program.name}, and what {base}_backward needs  {place}",
            [("", code.parts[0])],
            program.source.filename,
            sweep="forward",
            known=Known(code.types, both.stacks, both.plans),
        )
        taken = ["record", d_result, *(["shadows"] if self.uses_shadows else [])]
        code = self.optimised(lower, reversal, both, fresh, taken, back)
        self.printer.function(
            f"{base}_backward",
            taken,
            f"The adjoints of {', '.join(active)} in {program.name}  {place}",
            [("", code.parts[0])],
            program.source.filename,
            sweep="reverse",
            known=Known(code.types, both.stacks, both.plans),
        )
        return base

    def base_name(self, program: Program) -> str:
        """A name under which neither half of the pair is taken."""
        base, count = program.name, 1
        taken = self.namespace.reserved.union(*(p.constants for p in self.inference.programs.values()))
        while {f"{base}_forward", f"{base}_backward"} & taken:
            count += 1
            base = f"{program.name}_{count}"
        self.namespace.reserved |= {f"{base}_forward", f"{base}_backward"}
        return base

    # -- the passes -------------------------------------------------------------------------------

    def differentiate_pair(
        self, typed: Typed, active: tuple[str, ...], shadowed: frozenset[str], fresh: Any
    ) -> tuple[Reversal, Sweeps, dict[str, str]]:
        """Also, for arguments without any adjoint, the variable that holds what was given for them."""
        forced = {*shadowed - {RESULT}, *({typed.program.result} if RESULT in shadowed else ())}
        reversal = self.reversal(typed, frozenset(active), fresh, frozenset(forced), called=True)
        unused = [
            a
            for a in active
            if a not in reversal.bound_at_start
            and not is_number(typed.types.get(a, ANY))
            and not reversal.kept(a)
        ]
        written = {name for s in statements_of(typed.program.body) for name in names_written(s)}
        given = {a: fresh(f"{a}_given") if a in written else a for a in unused}
        ended = set(given.values())
        if reversal.kept(typed.program.result) and RESULT not in shadowed:
            ended.add(typed.program.result)
        ended |= {a for a in active if reversal.kept(a) and a not in shadowed}
        restored = frozenset(a for a in typed.program.arguments if reversal.aliases.in_shadow(a))
        both = sweeps(
            typed.program,
            reversal,
            fresh,
            True,
            frozenset(ended),
            restored,
            self.recorder,
            "recompute" in self.optimise,
            self.checkpointed,
        )
        copies = [
            _assign(copy, ast.Name(a, ast.Load()), typed.program.source.node)
            for a, copy in given.items()
            if copy != a
        ]
        self.notes.append((typed, both))
        return reversal, replace(both, setup=[*copies, *both.setup]), given

    def reversal(
        self,
        typed: Typed,
        selected: frozenset[str],
        fresh: Any,
        forced: frozenset[str] = frozenset(),
        called: bool = False,
        axes: tuple[Axes | None, ...] = (),
    ) -> Reversal:
        refuse_mutation(typed, self.inference, self.analysis, self.checked)
        aliases = self.analysis.of(typed, forced)
        written = [n for n in typed.program.arguments if called and aliases.in_shadow(n)]
        return reverse(
            typed,
            activity(typed, selected, aliases, frozenset(written)),
            aliases,
            self.inference,
            self.analysis,
            self.pair_of,
            fresh,
            called,
            self.uses_shadows,
            shapes_of(typed, axes) if "shapes" in self.optimise else Shapes(typed),
        )

    def differentiate(
        self, typed: Typed, selected: frozenset[str], fresh: Any, axes: tuple[Axes | None, ...]
    ) -> tuple[Reversal, Sweeps]:
        reversal = self.reversal(typed, selected, fresh, axes=axes)
        ended = frozenset(name for name in selected if reversal.kept(name))
        both = sweeps(
            typed.program,
            reversal,
            fresh,
            split=False,
            ended=ended,
            recorder=self.recorder,
            economical="recompute" in self.optimise,
            checkpointed=self.checkpointed,
        )
        self.notes.append((typed, both))
        return reversal, both

    def counted(self, both: Sweeps) -> list[ast.stmt]:
        """Counts what is kept at the end of the forward sweep, for a report."""
        if not both.sites:
            return []
        keep = ast.Attribute(load_name("recorder"), "keep", ast.Load())
        numbers = _tuple([ast.Constant(k) for k in both.sites.values()])
        return [ast.Expr(ast.Call(keep, [numbers, _tuple([load_name(n) for n in both.sites])], []))]

    def private(self, typed: Typed, aliases: Aliases, donated: frozenset[str]) -> list[ast.stmt]:
        """Copies of the arguments that the function writes into, which belong to the caller."""
        names = [n for n, t in zip(typed.program.arguments, typed.arguments, strict=True) if may_refer(t)]
        written = [n for n in names if aliases.class_of(n) in aliases.written]
        if not written:
            return []
        # A global that is the same array as an argument would see the write.
        names += [n for n in typed.program.inputs if may_refer(typed.types.get(n, ANY))]
        values = _tuple([load_name(n) for n in names])
        spelled = _tuple([ast.Constant(n) for n in names])
        flags = _tuple([ast.Constant(n in written) for n in names])
        given = _tuple([ast.Constant(n in donated) for n in names])
        targets = ast.Tuple([ast.Name(n, ast.Store()) for n in names], ast.Store())
        call = runtime_call("private", values, spelled, flags, given)
        outside = OutsideData(list(self.inference.programs.values()), typed.program)
        if outside.places:
            call.args.append(load_name(self.namespace.bind("outside_data", outside)))
        return [ast.copy_location(ast.Assign([targets], call), typed.program.source.node)]

    def lowering(self, typed: Typed, reversal: Reversal) -> Lowering:
        return Lowering(typed.program, {**typed.types, **reversal.adjoint_types}, self.namespace)

    def optimised(
        self,
        lower: Lowering,
        reversal: Reversal,
        both: Sweeps,
        fresh: Callable[[str], str],
        given: Iterable[str],
        *parts: list[ast.stmt],
        alike: Sequence[Sequence[str]] = (),
    ) -> Code:
        """The parts of an emitted function of the parameters `given`, optimised and ready to be printed."""
        nodes = ast.walk(lower.program.source.node)
        users = frozenset(n.id for n in nodes if isinstance(n, ast.Name)) | set(lower.program.arguments)
        base = lower.program.name

        def named(hint: str) -> str:
            return self.namespace.fresh(f"{base}_{hint}")

        kept = {name for name in lower.types if reversal.aliases.in_shadow(name)}
        for s, result in reversal.results.items():  # another name of the variable's array
            if any(map(reversal.aliases.in_shadow, names_written(s))):
                kept.add(result)
        kept |= {adjoint for name, adjoint in reversal.adjoint_names.items() if reversal.kept(name)}
        pinned = pinned_in([s for part in parts for s in part])
        code = Code(list(parts), users, lower.types, frozenset(kept), fresh, both.again)
        primals = {adjoint: name for name, adjoint in reversal.adjoint_names.items()}
        code = optimised(replace(code, alike=alike, primals=primals, pinned=pinned), self.optimise, named)
        self.printer.notes.update(code.notes)
        self.chains += [(chain, lower.program.source.filename) for chain in code.chains]
        code = replace(code, parts=fold_temporaries(code.parts, users))
        if "free" in self.optimise:
            code = free_dead(code, frozenset(given))
        if self.recorder is not None:
            code = observe(code, self.recorder, functools.partial(_site, lower.program))
        if enforces_marks():
            code = mark_kept(code)
        return code

    def fresh_for(self, program: Program) -> Any:
        """Unused names for one emitted function."""
        taken = {
            *program.arguments,
            *program.inputs,
            *program.constants,
            "rt",
            "np",
            "math",
            "record",
            "reversed",
            "shadows",
        }
        for s in statements_of(program.body):
            taken.update(names_written(s), names_read(s))
            taken.update(n.id for n in ast.walk(s) if isinstance(n, ast.Name))

        def fresh(hint: str) -> str:
            name, count = hint, 1
            while name in taken or name in self.namespace.reserved:
                count += 1
                name = f"{hint}_{count}"
            taken.add(name)
            return name

        return fresh

    # -- checks -----------------------------------------------------------------------------------

    def check_result(self, typed: Typed) -> None:
        """Refuse, where types tell already, a result that is not one real number."""
        t = typed.result
        if may_be_number(t):
            return
        place = typed.program.source.location(_wrong_return(typed) or _return_value(typed.program))
        if is_complex(t):
            raise NotDifferentiable(
                "the result is complex",
                reason="the gradient of a complex result needs a convention",
                remedy="return a real number, computed from the real and imaginary parts",
                location=place,
            )
        from myia.runtime.adjoints import non_scalar

        error = non_scalar("None" if t == Scalar("none", None) else f"of type {describe(t)}")
        error.location = place
        raise error

    def finish(self, name: str, *entries: str) -> Compiled:
        """The emitted module, loaded; `run` is the function that is entered, or the two of a pair."""
        for chain, filename in self.chains:
            values = [load_name(result) for result in chain.results]
            self.printer.function(
                chain.name,
                chain.parameters,
                "Elementwise: one pass over memory, where the operands are arrays of one shape and dtype.",
                [("", [*chain.lines, _result_of(list(values))])],
                filename,
                decorator="rt.fused",
            )
        listing = self.printer.listing()
        names = frozenset(chain.name for chain, _ in self.chains)
        module = load(name, listing.text, self.printer.origins, self.namespace.values, names)
        run = tuple(module[entry] for entry in entries) if len(entries) > 1 else module[entries[0]]
        return Compiled(module, run, guard(self.inference), tuple(self.notes), listing)


def _all_statements(block: list[ast.stmt]) -> Iterator[ast.stmt]:
    return (node for s in block for node in ast.walk(s) if isinstance(node, ast.stmt))


def _site(program: Program, kind: str, what: str, s: ast.stmt) -> Site:
    line = getattr(s, "lineno", 0)
    filename = program.source.filename
    text = linecache.getline(filename, line).strip()
    return Site(program.name, what, False, False, filename, line, text, (), kind)


def _file(program: Program) -> str:
    return f"{program.source.filename}:{program.source.node.lineno}"


def _alike(names: Sequence[str], axes: tuple[Axes | None, ...]) -> list[list[str]]:
    """The arguments of one shape, where there are several."""
    groups: dict[Axes, list[str]] = {}
    for name, known in zip(names, axes, strict=False):
        if known:
            groups.setdefault(known, []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def _signature(typed: Typed, axes: tuple[Axes | None, ...] = ()) -> str:
    """The arguments with their types; of an array its rank, or a letter for the length of each axis."""
    program = typed.program
    letters = [c for c in "nmkpqrstuvwxyzabcdefghij" if c not in program.arguments]
    spelled = [describe(t) for t in typed.arguments]
    for k, known in enumerate(axes):
        if known and -min(known) <= len(letters):
            lengths = ", ".join("1" if axis == 1 else letters[-axis - 1] for axis in known)
            spelled[k] = f"{spelled[k].partition('[')[0]}[{lengths}]"
    return ", ".join(f"{n}: {t}" for n, t in zip(program.arguments, spelled, strict=True))


def _return_of(program: Program) -> ast.AST:
    node = program.source.node
    if isinstance(node, ast.Lambda):
        return node.body
    returns = [n for n in own_nodes(node.body) if isinstance(n, ast.Return)]
    return max(returns, key=lambda n: n.lineno) if returns else node


def _is_double(t: Type) -> bool:
    """Whether types show that a number is a float of double precision, whose adjoint is seeded with 1.0."""
    if isinstance(t, NumpyScalar):
        return t.dtype == np.float64
    return isinstance(t, Scalar) and t.kind == "float"


def _wrong_return(typed: Typed) -> ast.AST | None:
    """Of several returns, the first that is known not to give a number."""
    result = typed.program.result
    statements = [s for s in statements_of(typed.program.body) if isinstance(s, ast.Assign)]
    made = [s for s in statements if result in names_written(s)]
    wrong = [s for s in made if not may_be_number(typed.operations[s].type)]
    return wrong[0] if len(made) > 1 and wrong else None


def _return_value(program: Program) -> ast.AST:
    at = _return_of(program)
    return at.value if isinstance(at, ast.Return) and at.value is not None else at


def _assign(name: str, value: ast.expr, at: ast.AST) -> ast.stmt:
    return ast.copy_location(ast.Assign([ast.Name(name, ast.Store())], value), at)


def _tuple(items: list[ast.expr]) -> ast.expr:
    return ast.Tuple(items, ast.Load())


def _result_of(values: list[ast.expr], at: ast.AST | None = None, single: bool = True) -> ast.stmt:
    value = values[0] if len(values) == 1 and single else ast.Tuple(values, ast.Load())
    made = ast.Return(value)
    return made if at is None else ast.copy_location(made, at)


def _unparse(statements: list[ast.stmt]) -> str:
    return text_of(ast.Module(statements, []))
