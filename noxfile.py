"""The tests on each supported Python that this machine has: `make nox`, or `nox -s tests-3.12`."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import nox

VERSIONS = ("3.11", "3.12", "3.13")


def working_interpreter(version: str) -> Path | None:
    """The folder of a `python{version}` that runs, on the path or among pyenv's; None if there is none.

    A shim of pyenv is on the path even for a version it will not start, so each candidate is tried.
    """
    candidates = [Path(found)] if (found := shutil.which(f"python{version}")) else []
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates += sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"))
    for candidate in candidates:
        attempt = subprocess.run([candidate, "--version"], capture_output=True, text=True, check=False)
        if attempt.returncode == 0 and attempt.stdout.startswith(f"Python {version}."):
            return candidate.parent
    return None


FOUND = {version: folder for version in VERSIONS if (folder := working_interpreter(version))}
# nox looks for its interpreters on the path, where a shim that does not start may come first.
os.environ["PATH"] = os.pathsep.join([*map(str, FOUND.values()), os.environ["PATH"]])

nox.options.sessions = ["tests"]
nox.options.default_venv_backend = "venv"


@nox.session(python=list(FOUND))
def tests(session: nox.Session) -> None:
    """The tests of the package as a user installs it: built for this Python, not read from the sources.

    They run in a copy without `myia/`, which would be imported in the place of the installed package and
    has no compiled module.
    """
    session.install("--quiet", ".[test,demo]")
    apart = Path(session.create_tmp())
    for folder in ("tests", "examples", "benchmarks", "docs"):
        shutil.rmtree(apart / folder, ignore_errors=True)
        shutil.copytree(folder, apart / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for page in ("pyproject.toml", *(page.name for page in Path().glob("*.md"))):
        shutil.copy(page, apart)
    session.chdir(apart)
    # Otherwise pytest takes the configuration from above this folder, and with it the sources.
    config = "--config-file=pyproject.toml"
    which = session.posargs or ["tests", "--pyargs", "myia"]
    session.run("python", "-m", "pytest", "-n", "2", config, *which)


@nox.session
def lint(session: nox.Session) -> None:
    session.install("--quiet", ".[lint]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
