"""The commands for developers on the pages: they exist, and they can make a release."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from configparser import ConfigParser
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, block, page, section

API = "docs/reference/api.md"
CONTRIBUTING = "CONTRIBUTING.md"
MEASURE = "docs/how-to/measure.md"
TEST = "docs/how-to/test-your-service.md"
UPGRADE = "docs/how-to/upgrade.md"
EDITABLE = r"python3 -m venv \.venv && \.venv/bin/pip install -e '\.\[(\w+)\]'"


def extras() -> dict[str, list[str]]:
    """Return the requirements of each extra of the package."""
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    return {name: text.split() for name, text in config["options.extras_require"].items()}


@pytest.mark.parametrize(
    ("name", "words", "follows"),
    [
        (CONTRIBUTING, ".venv/bin/nox\n", ".venv/bin/nox"),
        (MEASURE, "-m bench", ".venv/bin/python -m bench"),
    ],
)
def test_set_up(name, words, follows):
    """The page installs an extra that exists, and that has the program of the next line."""
    install, then = block(name, words).splitlines()
    found = re.fullmatch(EDITABLE, install)
    assert found is not None
    assert found[1] in extras()
    assert then == follows
    assert follows != ".venv/bin/nox" or "nox" in extras()[found[1]]


@pytest.mark.slow
def test_bench_options():
    """`python -m bench --help` names each option and each measure on the page."""
    shown = subprocess.run(
        [sys.executable, "-m", "bench", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in re.findall(r"^\| `(--\w+)", page(MEASURE), re.MULTILINE):
        assert name in shown
    commands = re.findall(r"`python -m bench ([a-z ]+)`", page(MEASURE))
    assert len(commands) == 2
    for command in commands:
        for name in command.split():
            assert name in shown


def test_test_requirements():
    """The extra that the page on tests installs has the packages that the page names."""
    (extra,) = re.findall(r"`pip install '\.\[(\w+)\]'`", page(TEST))
    assert extras()[extra] == ["pytest", "pytest-twisted"]


def test_example_commands():
    """The commands of the page on tests are those that the test of the examples runs."""
    enter, _, trial = block(TEST, "twisted.trial").strip().partition(" && ")
    assert enter == "cd examples"
    assert trial == "python -m twisted.trial test_echo"
    assert block(TEST, "python -m pytest") == "python -m pytest examples/test_moderated.py\n"
    assert block(TEST, "unittest test_") == "cd examples && python -m unittest test_web_hook\n"
    run = page("tests/integration/test_examples.py")
    assert '"unittest", "test_web_hook", cwd=EXAMPLES' in run
    assert '("test_moderated.py", 2)' in run
    assert 'run(*trial, "test_echo", cwd=EXAMPLES)' in run


def test_site():
    """The page on the API installs Sphinx, and builds the site as the session `docs` does."""
    install, build = block(API, "sphinx").splitlines()
    (extra,) = re.fullmatch(r"pip install '\.\[(\w+)\]'", install).groups()
    assert any(each.startswith("sphinx") for each in extras()[extra])
    session = page("noxfile.py").split("def docs(")[1].split("\n\n\n")[0]
    program, folder, _ = re.fullmatch(r"python -m (\w+) (\w+) (\w+)", build).groups()
    assert f'"-m", "{program}", ' in session
    assert f'"{folder}", site' in session


def test_web_hook():
    """The page on asyncio starts the example as README does, and posts to its port."""
    start, post = block("docs/how-to/asyncio.md", "curl").splitlines()
    assert f"| `web_hook.py` | `{start}`, " in page("README.md")
    body, url = re.fullmatch("curl --data '(.+)' (.+)", post).groups()
    assert url == f"http://localhost:{start.split()[-1]}"
    assert f'curl -d "{body}" http://' in page("examples/web_hook.py")


@pytest.mark.slow
def test_upgrade(tmp_path):
    """The commands install the new version, go back to the old one, and upgrade once more."""
    git = "git -c user.name=a -c user.email=a@example.org -c commit.gpgsign=false"
    install = "sudo /opt/chatd/bin/pip install ."
    left = "build chatd.egg-info"
    upgrade, back = block(UPGRADE, "git pull"), block(UPGRADE, "--detach")

    def run(command: str, where: Path = tmp_path) -> None:
        for program, other in (
            (install, f"! ls {left} 2>/dev/null && cat version >> ../installed && mkdir {left}"),
            ("sudo rm ", "rm "),
            ("sudo /opt/chatd/bin/twistd ", f"{Path(sys.executable).parent}/twistd "),
            ("git ", f"{git} "),
        ):
            command = command.replace(program, other)
        done = subprocess.run(
            ["bash", "-ec", command], cwd=where, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    def fail(command: str) -> None:
        """Check that nothing is installed when the first command fails."""
        stopped = command.replace("git ", "false ", 1)
        done = subprocess.run(["bash", "-c", stopped], cwd=tmp_path / "clone", check=False)
        assert done.returncode == 1

    def publish(version: str) -> None:
        run(f"cd origin && echo {version} > version && git add . && git commit -qm {version}")

    run("git init -q --initial-branch main origin")
    publish("first")
    run("git clone -q origin clone")
    fail(upgrade)
    fail(back)
    for version in ("second", "third"):
        publish(version)
        run(upgrade, tmp_path / "clone")
        run(back, tmp_path / "clone")
    installed = (tmp_path / "installed").read_text().split()
    assert installed == ["second", "first", "third", "first"]


@pytest.mark.slow
@pytest.mark.skipif(find_spec("mypy") is None, reason="needs the extra dev")
def test_types(tmp_path):
    """The examples are clean under the configuration of mypy in the reference of the API."""
    config = tmp_path / "mypy.ini"
    config.write_text(block(API, "[mypy]"))
    examples = set((ROOT / "examples").glob("*.py")) - {ROOT / "examples/test_moderated.py"}
    command = ["mypy", "--config-file", config, "--cache-dir", tmp_path / "cache", *examples]
    done = subprocess.run(
        [sys.executable, "-m", *map(str, command)], capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("Success"), done.stdout


class Clone:
    """A repository with the files of the project, in which a release can be made.

    Args:
        directory: Where to make it.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / "clone"
        self.path.mkdir()
        for name in ("pyproject.toml", "CHANGELOG.md"):
            shutil.copy(ROOT / name, self.path)
        for name in ("changelog.d", "chatd"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, self.path / name, ignore=ignored)
        self.run("git init -q && git add . && git commit -qm before")

    def run(self, command: str) -> str:
        """Run a command as a reader of the page does."""
        name = "git -c user.name=a -c user.email=a@example.org -c commit.gpgsign=false"
        scripts = Path(sys.executable).parent
        command = command.replace("git ", f"{name} ").replace(".venv/bin", str(scripts))
        done = subprocess.run(
            ["bash", "-ec", command], cwd=self.path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.mark.slow
@pytest.mark.skipif(find_spec("towncrier") is None, reason="needs the extra dev")
def test_release(tmp_path):
    """The commands write a fragment, gather the changelog, commit and tag."""
    clone = Clone(tmp_path)
    clone.run(block(CONTRIBUTING, "towncrier create"))
    (fragment,) = clone.path.glob("changelog.d/*sheep*")
    assert fragment.name == "+sheep.added.md"
    assert fragment.read_text().strip() == "The daemon counts sheep."
    clone.run("git add .")
    clone.run(block(CONTRIBUTING, "towncrier build"))
    assert not list(clone.path.glob("changelog.d/+*"))
    assert "## 0.2.0, " in (clone.path / "CHANGELOG.md").read_text()
    assert "The daemon counts sheep." in (clone.path / "CHANGELOG.md").read_text()
    assert clone.run("git log -1 --format=%s").strip() == "Release 0.2.0"
    assert clone.run("git status --short") == ""
    clone.run(block(CONTRIBUTING, "git tag"))
    assert clone.run("git tag -n").split() == ["0.2.0", "chatd", "0.2.0"]


def test_build_and_upload():
    """The release is built and checked as the session `wheel` does it, which CI runs."""
    clone, install, build, check = block(CONTRIBUTING, "git clone --branch").splitlines()
    tag = block(CONTRIBUTING, "git tag").split()[3]
    assert clone == f"git clone --branch {tag} . ../chatd-{tag} && cd ../chatd-{tag}"
    session = page("noxfile.py").split("def wheel(")[1]
    packages = re.findall(r'session\.install\("(\w+)", "(\w+)"\)', session)[0]
    assert install == f"python3 -m venv .venv && .venv/bin/pip install {' '.join(packages)}"
    # Without the C module: with a compiler, the wheel would fit this machine and Python alone.
    assert build == "CHATD_PURE=1 .venv/bin/python -m build"
    assert "env=PURE" in session
    assert 'PURE = {"CHATD_PURE": "1"}' in page("noxfile.py")
    assert check == ".venv/bin/twine check --strict dist/*"
    assert '"-m", "build"' in session
    assert '"twine", "check", "--strict"' in session
    used, wheel = block(CONTRIBUTING, ".ci/wheel").split()
    assert f'"{used}"' in session
    assert wheel == f"dist/chatd-{tag}-py3-none-any.whl"
    push, upload = block(CONTRIBUTING, "twine upload").splitlines()
    assert push == f"git push origin main {tag}"
    assert upload == ".venv/bin/twine upload dist/*"
    assert "## Make a release" in page(CONTRIBUTING)
    assert f"For release {tag}" in section(page(CONTRIBUTING), "Make a release")


def test_paths():
    """Each path in CONTRIBUTING.md exists."""
    folders = "chatd|tests|docs|examples|changelog\\.d|\\.ci|\\.github"
    named = re.findall(rf"`((?:{folders})/[\w./-]*)`", page(CONTRIBUTING))
    assert len(named) > 20
    assert [path for path in named if not (ROOT / path).exists()] == []
