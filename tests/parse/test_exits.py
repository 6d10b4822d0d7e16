"""`break`, `continue` and early `return`: rewritten to stand at the ends of blocks, with the same meaning."""

from __future__ import annotations

import itertools
import re

import pytest

from myia.parse.normalize import normalize, show
from tests.parse.normal_form import run, violations


def return_in_branch(a, b):
    if a > b:
        return a
    if a == b:
        return 0
    return b


def return_in_one_branch_of_two(a, b):
    y = 1
    if a > 1:
        if b > 1:
            return y
        y = a
    else:
        y = b
    return y * 10


def break_in_middle(a, b):
    total = 0
    for k in range(5):
        if k == a:
            break
        total = total + 1
    return total


def continue_in_middle(a, b):
    total = 0
    for k in range(5):
        if k % 2 == a:
            continue
        if k == b:
            continue
        total += k
    return total


def hidden_exits(a, b):
    total = 0
    for k in range(5):
        if k > a:
            if k == b:
                break
            total += 1
            if k == 3:
                continue
            total += 10
        total += 100
    return total


def loop_else(a, b):
    for k in range(b):
        if k == a:
            total = 7
            break
    else:
        total = 11
    return total


def while_else_with_continue(a, b):
    k = 0
    while k < 4:
        k += 1
        if k < a:
            continue
        if k == b:
            break
    else:
        return -1
    return k


def return_from_two_loops(a, b):
    total = 0
    for i in range(3):
        for j in range(3):
            if i == a and j == b:
                return total
            total += 1
        total += 100
    else:
        total += 1000
    return total


def break_of_inner_then_outer(a, b):
    total = 0
    while True:
        while True:
            total += 1
            if total % 3 == a % 3:
                break
        if total > b:
            break
        total += 5
    return total


def return_in_endless_loop(a, b):
    while True:
        a += 1
        if a > b:
            return a


def return_in_loop_else(a, b):
    for i in range(2):
        for j in range(b):
            if j > a:
                break
        else:
            return i
    return -5


def no_return(a, b):
    for k in range(a):
        if k == b:
            return


def code_after_exit(a, b):
    for k in range(3):
        if a:
            break
            a = 100
        continue
        b = 100
    return a + b
    a = 1000


def guarded_return_then_break(a, b):
    total = 0
    for k in range(4):
        if k >= a:
            if b == 0:
                return total
            if b == 1:
                break
            if b == 2:
                continue
            total += 1
        total += 10
    else:
        total += 100
    return total


EXITS = [
    return_in_branch,
    return_in_one_branch_of_two,
    break_in_middle,
    continue_in_middle,
    hidden_exits,
    loop_else,
    while_else_with_continue,
    return_from_two_loops,
    break_of_inner_then_outer,
    return_in_endless_loop,
    return_in_loop_else,
    no_return,
    code_after_exit,
    guarded_return_then_break,
]


@pytest.mark.parametrize("function", EXITS)
def test_same_meaning(function):
    rewritten = run(normalize(function))
    for a, b in itertools.product(range(-1, 5), repeat=2):
        assert rewritten(a, b) == function(a, b), (a, b)


@pytest.mark.parametrize("function", EXITS)
def test_exits_only_at_the_end_of_blocks(function):
    program = normalize(function)
    text = show(program)
    assert violations(program) == []
    assert not re.search(r"^ *continue$", text, re.MULTILINE)
    assert len(re.findall(r"^ *return ", text, re.MULTILINE)) == 1
    assert text.rstrip().splitlines()[-1].startswith("    return ")


def test_what_follows_an_exit_moves_into_the_other_branch():
    assert show(normalize(break_in_middle)) == (
        "def break_in_middle(a, b):\n"
        "    total = 0\n"
        "    for k in range(5):\n"
        "        test = k == a\n"
        "        if test:\n"
        "            break\n"
        "        else:\n"
        "            total = total + 1\n"
        "    return total"
    )


def test_flags_only_where_an_exit_is_hidden():
    assert "leaving" not in show(normalize(continue_in_middle))
    assert "leaving" not in show(normalize(break_in_middle))
    assert "leaving" in show(normalize(hidden_exits))
