"""Free names: where they live, and what they stand for now."""

from __future__ import annotations

import builtins
import math
from types import ModuleType

import numpy as np

from myia.parse.scope import MISSING, Scope, is_constant, static_attribute

VALUE = 1.0


def made(captured):
    def f():
        return captured + VALUE + len([])

    return f


def test_cells_globals_and_builtins(monkeypatch):
    scope = Scope(made(5.0))
    assert scope.origin("captured").load() == 5.0
    assert scope.origin("captured").cell is not None
    assert scope.origin("VALUE").load() == 1.0
    assert scope.origin("len").load() is len
    assert scope.origin("nowhere").load() is MISSING

    value = scope.origin("VALUE")
    monkeypatch.setitem(globals(), "VALUE", 2.0)
    assert value.load() == 2.0


def test_a_global_shadows_a_builtin(monkeypatch):
    origin = Scope(made(1.0)).origin("len")
    monkeypatch.setitem(globals(), "len", max)
    assert origin.load() is max
    monkeypatch.delitem(globals(), "len")
    assert origin.load() is builtins.len


def test_an_empty_cell_is_missing():
    def f():
        return later

    origin = Scope(f).origin("later")
    assert origin.load() is MISSING
    later = 3.0
    assert origin.load() == 3.0


def test_constants_are_what_is_resolved_once():
    for value in (math, math.sin, np.add, list, made, type):
        assert is_constant(value)
    for value in (1.0, "a", [len], np.ones(3), None):
        assert not is_constant(value)


def test_a_class_attribute_is_found_without_running_code():
    class Noisy:
        ran = False

        def method(self):
            return 1

        @staticmethod
        def static():
            return 2

        @classmethod
        def made(cls):
            return 3

        @property
        def computed(self):
            raise AssertionError

        number = 4

    assert static_attribute(Noisy, "method") is Noisy.method
    assert static_attribute(Noisy, "static")() == 2
    assert static_attribute(Noisy, "made")() == 3
    assert static_attribute(Noisy, "number") == 4
    assert static_attribute(Noisy, "nowhere") is MISSING


def test_a_module_is_not_asked_for_what_it_would_make_up():
    module = ModuleType("lazy")
    asked = []
    module.__getattr__ = asked.append
    module.present = 1
    assert static_attribute(module, "present") == 1
    assert asked == []
