"""What the normal form needs of lists, tuples and dictionaries: the values, the adjoints, the refusals."""

from __future__ import annotations

from collections import OrderedDict, deque
from fractions import Fraction

import numpy as np
import pytest

from myia.errors import MissingRule, UnsupportedSyntax
from myia.runtime import containers as c


@pytest.mark.parametrize("x", [[1], (1,), np.ones(1), range(3), "abc"])
def test_a_sequence_is_walked_over_as_it_is(x):
    assert c.sequence(x) is x


@pytest.mark.parametrize("x, items", [({"a": 1}, ["a"]), (deque([1, 2]), [1, 2]), ({"a": 1}.values(), [1])])
def test_other_iterables_are_listed(x, items):
    assert c.sequence(x) == items


@pytest.mark.parametrize("x", [(k for k in range(3)), iter([1]), zip([1], [2]), map(abs, [1]), reversed([1])])
def test_what_can_be_walked_over_once_is_refused(x):
    with pytest.raises(UnsupportedSyntax, match=type(x).__name__):
        c.sequence(x)


def test_views_of_dictionaries():
    table = OrderedDict(b=2.0, a=1.0)
    assert c.keys(table) == ["b", "a"]
    assert c.values(table) == [2.0, 1.0]
    assert c.items(table) == [("b", 2.0), ("a", 1.0)]
    with pytest.raises(UnsupportedSyntax, match="of a list"):
        c.keys([1])


def test_adjoints_of_views():
    table = {"b": 2.0, "a": np.ones(2)}
    assert c.values_adjoint([5.0, 6.0], table) == {"b": 5.0, "a": 6.0}
    assert c.items_adjoint([[0.0, 5.0], 0.0], table) == {"b": 5.0, "a": 0.0}
    found = c.get_adjoint(5.0, table, "b")
    assert found["b"] == 5.0
    assert found["a"].tolist() == [0.0, 0.0]
    assert c.get_adjoint(5.0, {"b": 2.0}, "absent") == {"b": 0.0}


def test_merging():
    one, two = {"a": 1.0, "b": 2.0}, {"b": 3.0, "c": 4.0}
    whole = c.merged(one, two)
    assert whole == {"a": 1.0, "b": 3.0, "c": 4.0}
    assert (one, two) == ({"a": 1.0, "b": 2.0}, {"b": 3.0, "c": 4.0})
    g = {"a": 10.0, "b": 20.0, "c": 30.0}
    assert c.merged_adjoint(g, one, two) == {"a": 10.0, "b": 0.0}
    assert c.merged_adjoint(g, two, None) == {"b": 20.0, "c": 30.0}


@pytest.mark.parametrize("x", [[], [1], [1, 2, 3], (1, 2), "ab", np.ones(1), {"a": 1}])
@pytest.mark.parametrize("count", [1, 2])
def test_unpacking_raises_what_python_raises(x, count):
    def python():
        if count == 1:
            (a,) = x
        else:
            a, b = x

    if len(x) == count:
        assert len(c.unpacked(x, count)) == count
        return
    with pytest.raises(ValueError) as expected:  # noqa: PT011 - the text is compared
        python()
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        c.unpacked(x, count)
    texts = [str(info.value).split(",")[0].rstrip(")") for info in (expected, caught)]  # without "got 3"
    assert texts[0] == texts[1]


def test_unpacking_with_a_star():
    assert c.unpacked_at_least((1, 2, 3), 2) == [1, 2, 3]
    assert c.unpacked_at_least({"a": 1}, 1) == ["a"]
    with pytest.raises(ValueError, match="at least 3, got 2"):
        c.unpacked_at_least([1, 2], 3)


class Sub(np.ndarray):
    pass


class MyFloat(float):
    pass


@pytest.mark.parametrize(
    "x", [Fraction(1), np.ones(1).view(Sub), np.ma.masked_array([1.0]), deque(), object()]
)
def test_foreign_operators_have_no_rules(x):
    with pytest.raises(MissingRule, match=type(x).__qualname__):
        c.plain(1.0, x)


@pytest.mark.parametrize("x", [1.0, True, np.ones(1), [1], "a", np.float32(1), MyFloat(1), None])
def test_operators_of_numbers_and_arrays_have(x):
    c.plain(x)


def test_construction():
    items, table, members = [], {}, set()
    assert c.append(items, 1) is items
    assert c.insert(table, "a", 1) is table
    assert c.include(members, 1) is members
    assert (items, table, members) == ([1], {"a": 1}, {1})
    assert c.built(items) is items


def test_adjoints_of_construction():
    d_items = [1.0, 2.0]
    owned = c.owned(d_items)
    assert c.without_last(owned) == [1.0]
    assert d_items == [1.0, 2.0]
    d_table = c.owned({"a": 1.0})
    assert c.popped(d_table, "a", 5.0) == 1.0
    assert c.popped(d_table, "a", np.ones(2)).tolist() == [0.0, 0.0]  # another value took the key
