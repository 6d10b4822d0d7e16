# mypy: disable-error-code="no-untyped-def"
"""Lists, tuples and dictionaries: what the normal form builds and takes apart."""

import operator

from myia import runtime as rt
from myia.adjoint.template import adjoint, d


@adjoint(rt.sequence, result="same")
def sequence(y, x, /):
    d[x] += rt.as_adjoint_of(d[y], x)


@adjoint(rt.unpacked, result="same")
def unpacked(y, x, count, /):
    d[x] += rt.as_adjoint_of(d[y], x)


@adjoint(rt.unpacked_at_least, result="listed")
def unpacked_at_least(y, x, count, /):
    d[x] += rt.as_adjoint_of(d[y], x)


@adjoint(rt.as_list, result="listed")
def as_list(y, x, /):
    d[x] += rt.as_adjoint_of(d[y], x)


@adjoint(rt.as_tuple)
def as_tuple(y, x, /):
    d[x] += rt.as_adjoint_of(d[y], x)


@adjoint(rt.append, result="appended")
def append(y, items, item, /):
    d[item] += d[y][-1]
    d[items] += rt.without_last(d[y])


@adjoint(rt.insert, result="any")
def insert(y, table, key, value, /):
    d[value] += rt.popped(d[y], key, value)
    d[table] += d[y]


@adjoint(rt.built, result="same")
def built(y, x, /):
    d[x] += rt.owned(d[y])


@adjoint(("sequences", operator.add), result="any")
def concatenated(y, x1, x2, /):
    d[x1] += d[y][: len(x1)]
    d[x2] += d[y][len(x1) :]


@adjoint(("sequences", operator.mul), result="any")
def repeated(y, x1, x2, /):
    d[x1] += rt.repeated_adjoint(d[y], x1)
    d[x2] += rt.repeated_adjoint(d[y], x2)
