"""The tools that are compared, each used as its own documentation says."""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

# tangent-ad keeps compiled gradients in the user's cache folder; a first call would be a second one.
os.environ["TANGENT_DISK_CACHE"] = "0"
# Where TensorFlow is installed tangent imports it, and it talks.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

DISTRIBUTIONS = {"myia": "myia", "autograd": "autograd", "tangent": "tangent-ad"}
# What a tool has in the place of NumPy, where it is another module.
NUMPY = {"autograd": "autograd.numpy", "jax": "jax.numpy", "torch": "torch"}
PROGRAMS = Path(__file__).with_name("programs.py")
_copies = itertools.count()


def load_programs(tool: str, path: Path = PROGRAMS) -> ModuleType:
    """A new copy of the programs, written for `tool`."""
    spec = importlib.util.spec_from_file_location(f"programs_for_{tool}_{next(_copies)}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if tool in NUMPY:
        module.np = importlib.import_module(NUMPY[tool])  # type: ignore[attr-defined]
    return module


def program_for(tool: str, name: str, programs: ModuleType | None = None) -> Callable[..., Any]:
    """The program in the spelling that suits the tool best."""
    programs = programs or load_programs(tool)
    return getattr(programs, programs.FASTER.get((tool, name), name))


def value_and_gradient(tool: str, function: Callable[..., Any]) -> Callable[..., tuple[Any, Any]]:
    """The function's value and its gradient with respect to the first argument, by `tool`."""
    if tool == "myia":
        import myia

        return myia.value_and_grad(function)
    if tool == "autograd":
        import autograd

        return autograd.value_and_grad(function)
    import tangent

    gradient_and_value = tangent.grad(function, preserve_result=True)

    def swapped(*args: Any) -> tuple[Any, Any]:
        gradient, value = gradient_and_value(*args)
        return value, gradient

    return swapped


def versions() -> dict[str, str]:
    return {tool: version(distribution) for tool, distribution in DISTRIBUTIONS.items()}
