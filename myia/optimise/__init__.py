"""Optimisation of emitted code: the last stage before printing, when all about derivatives is decided.

Each pass takes the parts of one emitted function and gives new ones, and each has a name under which
`optimise=` switches it off. None changes a result but "products", which rounds otherwise: what is computed is
the same to the last bit, up to the sign of a zero in a gradient.
"""

from __future__ import annotations

from collections.abc import Callable

from myia.optimise.algebra import simplify
from myia.optimise.code import Chain, Code
from myia.optimise.copies import drop_copies
from myia.optimise.dead import drop_dead
from myia.optimise.free import free_dead
from myia.optimise.fuse import fuse_chains
from myia.optimise.invariant import move_invariant
from myia.optimise.reuse import reuse_dead
from myia.optimise.scalars import keep_scalars
from myia.optimise.single import single_operations
from myia.optimise.subexpressions import share_common
from myia.optimise.sums import add_in_one_pass, add_products, begin_sums
from myia.optimise.views import view_instead_of_copy

__all__ = ["ALL", "Chain", "Code", "free_dead", "optimised"]

ALL: dict[str, str] = {
    "recompute": "what is cheap is computed again rather than saved; of an array only its shape is saved",
    "shapes": "a cotangent is not summed back where shapes are known to be the same",
    "copies": "the compiler's second names for a value, and what nothing reads, are left out",
    "algebra": "identities that hold for every float: factors of 1, negatives, squares",
    "dead": "what neither the result nor a backprop reads is not computed",
    "scalars": "the cotangent of a whole sum stays a number where it is read beside arrays",
    "common": "an operation of the same operands is done once",
    "accumulate": "a contribution is added to an adjoint in one pass over memory; the first one begins it",
    "products": "products of matrices are added by BLAS, which rounds otherwise in the last bits",
    "invariant": "what a loop does not change is computed before it, once",
    "views": "elements that are used up before anything is written are not copied",
    "fuse": "elementwise operations that follow one another are one pass over memory",
    "reuse": "a result takes the memory of an operand that nothing reads any more",
    "free": "arrays are let go of at their last use",
}
"""The optimisations, each with what it does."""


def optimised(code: Code, chosen: frozenset[str], named: Callable[[str], str]) -> Code:
    """The passes, in order; `chosen`: the names of those to run; `named`: names for new functions."""
    if not chosen - {"recompute", "shapes", "free"}:
        return code
    code = single_operations(code)
    if "copies" in chosen:
        code = drop_copies(code)
    if "algebra" in chosen:
        code = _then_copies(simplify, code)
    if "scalars" in chosen:
        before = code
        code = _then_copies(keep_scalars, code)
        if code is not before and "algebra" in chosen:
            code = _then_copies(simplify, code)  # factors of 1 that are numbers now
    if "invariant" in chosen:
        code = move_invariant(code)
    if "common" in chosen:
        code = _then_copies(share_common, code)
    if "views" in chosen:
        code = view_instead_of_copy(code)
    if "dead" in chosen:
        code = drop_dead(code)
    if "accumulate" in chosen:
        code = begin_sums(code)
    if "products" in chosen:
        code = add_products(code)
    if "fuse" in chosen:
        code = fuse_chains(code, named)
    if "accumulate" in chosen:
        code = add_in_one_pass(code)
    if "reuse" in chosen:
        code = reuse_dead(code)
    return code


def _then_copies(rewrite: Callable[[Code], Code], code: Code) -> Code:
    """A pass that leaves second names behind, if it did anything."""
    made = rewrite(code)
    return code if made is code else drop_copies(made)
