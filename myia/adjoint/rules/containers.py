# mypy: disable-error-code="no-untyped-def"
"""Lists, tuples and dictionaries: what the normal form builds and takes apart."""

import operator

from myia import runtime as rt
from myia.adjoint.template import adjoint, d, inactive

inactive(rt.keys)
inactive(rt.shortest, result="int")
inactive(rt.walked, result="any")
inactive(rt.array_only, rt.castable, rt.bound, rt.new)


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


@adjoint(("anything", operator.add), result="any")
def added(y, x1, x2, /):
    d[x1] += rt.added_adjoint(d[y], x1, True)
    d[x2] += rt.added_adjoint(d[y], x2, False)


@adjoint(("anything", operator.mul), result="any")
def multiplied(y, x1, x2, /):
    d[x1] += rt.multiplied_adjoint(d[y], x1, x2)
    d[x2] += rt.multiplied_adjoint(d[y], x2, x1)


@adjoint(rt.values, result="values")
def values(y, table, /):
    d[table] += rt.values_adjoint(d[y], table)


@adjoint(rt.items, result="any")
def items(y, table, /):
    d[table] += rt.items_adjoint(d[y], table)


@adjoint(dict, result="same")
def table(y, x, /):
    d[x] += rt.copied_table_adjoint(d[y], x)


@adjoint(rt.merged, ("tables", operator.or_), result="any")
def merged(y, table, other, /):
    d[table] += rt.merged_adjoint(d[y], table, other)
    d[other] += rt.merged_adjoint(d[y], other, None)


@adjoint(("method", "get"), result="any")
def get(y, self, key, default=None, /):
    d[self] += rt.get_adjoint(d[y], self, key)
    d[default] += d[y] if key not in self else rt.zeros_like(default)
