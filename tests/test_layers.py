"""Tests of the layers: imports go down only, and pure layers stay pure."""

import ast
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import chatd

ROOT = Path(chatd.__file__).parent

# From the top down. A module imports only from its own package and from rows below its row.
# Packages of one row are siblings, which never import each other. The package's own module is
# called chatd; it gets the public names from the module public.
ROWS = [
    {"__main__"},
    {"cli"},
    {"testing"},
    {"chatd"},
    {"public"},
    {"daemon"},
    {"listening", "web"},
    {"server", "client"},
    {"transport"},
    {"config"},
    {"chat"},
    {"backplane"},
    {"storage"},
    {"connection"},
    {"wire"},
    {"transitions"},
    {"arguments", "errors", "_version"},
]
RANKS = {layer: len(ROWS) - place for place, row in enumerate(ROWS) for layer in row}

# The layers that only compute, and the modules that they must not import.
PURE = {"wire", "connection", "chat"}
IMPURE = {
    "asyncio",
    "chatd.config.ownfile",
    "datetime",
    "os",
    "select",
    "selectors",
    "socket",
    "threading",
    "time",
    "twisted",
    "zope",
}

# The modules of the command line that only compute: the prompt draws what they return.
COMPUTING = {
    f"chatd.cli.{name}"
    for name in (
        "aliases",
        "attention",
        "completion",
        "dumblines",
        "eventwords",
        "helptext",
        "ignored",
        "pasting",
        "places",
        "recent",
        "roomstates",
        "statusline",
        "typed",
        "widths",
        "words",
    )
}
# The modules that draw at a terminal; no others may use its library.
DRAWING = {f"chatd.cli.{name}" for name in ("asking", "keys", "prompt", "terminal", "unseen")}
TERMINAL = "prompt_toolkit"

REACTOR = "twisted.internet.reactor"


def layer_of(name):
    """Return the layer of a module or of a name in it, by its full dotted name, or None."""
    package, _, rest = name.partition(".")
    if package != "chatd":
        return None
    first = rest.partition(".")[0]
    return first if first in RANKS else "chatd"


def is_within(name, package):
    return name == package or name.startswith(f"{package}.")


def names_imported(node, package):
    """Return the full dotted names in an import statement of a module in `package`."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = node.module or ""
    if node.level:
        parents = package.split(".")[: 1 - node.level or None]
        base = ".".join([*parents, *filter(None, [base])])
    return [f"{base}.{alias.name}" for alias in node.names]


def walk_module_level(node):
    """Walk over the code that runs when a module is imported: all but the bodies of functions."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield child
            yield from walk_module_level(child)


def faults_in(module, source, *, is_package=False):
    """Return a line for each import of a module that breaks the rules."""
    tree = ast.parse(source)
    package = module if is_package else module.rpartition(".")[0]
    layer = layer_of(module)
    faults = []
    for node in ast.walk(tree):
        for name in names_imported(node, package):
            target = layer_of(name)
            if target is not None and RANKS[target] > RANKS[layer]:
                faults.append(f"{module} is below {name}")
            if target != layer and RANKS.get(target) == RANKS[layer]:
                faults.append(f"{module} is beside {name}")
            if is_within(name, TERMINAL) and module not in DRAWING:
                faults.append(f"{module} draws at a terminal")
            if (layer in PURE or module in COMPUTING) and any(
                is_within(name, each) for each in IMPURE
            ):
                faults.append(f"{module} is pure, and {name} is not")
    for node in walk_module_level(tree):
        if any(is_within(name, REACTOR) for name in names_imported(node, package)):
            faults.append(f"{module} imports the reactor when it is imported itself")
    return faults


def modules():
    """Return all modules of chatd: name, path, and whether it is a package."""
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        yield ".".join(parts[:-1] if is_package else parts), path, is_package


class LayerTests(SynchronousTestCase):
    def test_every_module_has_a_layer(self):
        """Each module belongs to a layer of the table."""
        for name, path, _ in modules():
            self.assertTrue(name == "chatd" or layer_of(name) != "chatd", f"{path} has no layer")

    def test_every_layer_is_there(self):
        """Each layer of the table has modules."""
        found = {layer_of(name) for name, _, _ in modules()}
        self.assertEqual(found, set(RANKS))

    def test_every_import(self):
        """No module of chatd breaks the rules."""
        names = []
        for name, path, is_package in modules():
            self.assertEqual(faults_in(name, path.read_text("utf-8"), is_package=is_package), [])
            names.append(name)
        self.assertLess({"chatd", "chatd.errors", "chatd.wire", "chatd.wire.codec"}, set(names))


# A session and its protocols, which a factory's protocol is made of.
_CARRIED = tuple(f"chatd.server.{each}" for each in ("session", "sessionprotocol", "pacedprotocol"))
# The one kind of circle that is allowed: what Twisted has as a protocol and its factory.
CIRCLES = {
    frozenset({"chatd.server.factory", "chatd.server.protocol", *_CARRIED}),
    frozenset({"chatd.client.client", "chatd.client.factory"}),
}


def circles(imports):
    """Return the groups of modules that import each other, at once or through others.

    Args:
        imports: The modules that each module imports, by its name.
    """
    reached = {name: reachable(imports, name) for name in imports}
    return {
        frozenset(other for other in reached[name] if name in reached.get(other, ()))
        for name in imports
        if name in reached[name]
    }


def reachable(imports, start):
    """Return the modules that a module imports, at once or through others."""
    found, left = set(), [*imports[start]]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += imports.get(name, ())
    return found


class CircleTests(SynchronousTestCase):
    """Modules import each other in one direction, even for types alone."""

    def test_every_import(self):
        """The factories and their protocols are the only circles."""
        names = {name for name, _, is_package in modules() if not is_package}
        imports = {}
        for name, path, is_package in modules():
            if is_package:
                continue
            package = name.rpartition(".")[0]
            asked = {
                part
                for node in ast.walk(ast.parse(path.read_text("utf-8")))
                for full in names_imported(node, package)
                for part in (full, full.rpartition(".")[0])
            }
            imports[name] = asked & names
        self.assertEqual(circles(imports), CIRCLES)

    def test_checker(self):
        """The check finds a circle of any length, apart from another."""
        imports = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a", "e"}, "e": {"d"}, "f": {"a"}}
        self.assertEqual(circles(imports), {frozenset("abc"), frozenset("de")})


class CheckerTests(SynchronousTestCase):
    """The check itself finds each kind of fault."""

    def test_terminal(self):
        """Few modules use the terminal's library, and modules that compute use no reactor."""
        source = "from prompt_toolkit import PromptSession"
        self.assert_faulty("chatd.cli.talk", source)
        self.assert_faulty("chatd.cli.places", source, "from twisted.internet import defer")
        self.assertEqual(faults_in("chatd.cli.prompt", source), [])

    def test_computing(self):
        """The modules of the command line that only compute exist."""
        names = {name for name, _, _ in modules()}
        self.assertLessEqual(COMPUTING | DRAWING, names)

    def assert_faulty(self, module, *sources, is_package=False):
        for source in sources:
            self.assertEqual(len(faults_in(module, source, is_package=is_package)), 1, source)

    def assert_clean(self, module, *sources, is_package=False):
        for source in sources:
            self.assertEqual(faults_in(module, source, is_package=is_package), [], source)

    def test_upwards(self):
        """The check finds an import from a higher layer in any form and at any place."""
        self.assert_faulty(
            "chatd.wire.frames",
            "import chatd.connection",
            "import json, chatd.connection.states as states",
            "from chatd.connection.states import State",
            "from chatd import connection",
            "from chatd import Codec",
            "import chatd",
            "from .. import connection",
            "from ..connection import states",
            "from ..connection.states import State",
            "def function():\n    from chatd.connection import states",
            "class A:\n    if True:\n        import chatd.server",
            "if TYPE_CHECKING:\n    from chatd.connection.states import State",
            "try:\n    import chatd.cli\nexcept ImportError:\n    pass",
        )
        self.assert_faulty("chatd.wire", "from ..chat import rooms", is_package=True)

    def test_each_layer(self):
        """Each layer may import itself and all layers below it, and no layer above it."""
        layers = [layer for row in ROWS for layer in row if layer != "chatd"]
        for layer in layers:
            for target in layers:
                faults = faults_in(f"chatd.{layer}", f"import chatd.{target}.part")
                is_below = any(f"is below chatd.{target}.part" in fault for fault in faults)
                self.assertIs(is_below, RANKS[target] > RANKS[layer], (layer, target))
                is_beside = any(f"is beside chatd.{target}.part" in fault for fault in faults)
                is_sibling = layer != target and RANKS[target] == RANKS[layer]
                self.assertIs(is_beside, is_sibling, (layer, target))

    def test_siblings(self):
        """Server and client, and any other two layers of one row, never import each other."""
        self.assert_faulty("chatd.server.protocol", "from chatd.client.client import ChatClient")
        self.assert_faulty("chatd.client.client", "from chatd import server")
        self.assert_clean("chatd.server.protocol", "from chatd.server import session")

    def test_downwards(self):
        """An import from the same layer or a lower layer is allowed, for types too."""
        self.assert_clean(
            "chatd.server.protocol",
            "from chatd.server.session import Session",
            "from . import session",
            "from .session import Session",
            "from chatd.chat.rooms import Room",
            "from chatd.errors import ChatError",
            "if TYPE_CHECKING:\n    from chatd.server.factory import ChatFactory",
            "import time, os, socket\nfrom twisted.internet import defer",
        )
        self.assert_clean("chatd.wire", "from . import frames", is_package=True)
        self.assert_clean("chatd", "from .client.client import ChatClient", is_package=True)
        self.assert_clean("chatd.cli.main", "import chatd", "from chatd import Codec")

    def test_impure(self):
        """The check finds a pure layer that imports a clock, a socket, a file or Twisted."""
        for module in ("chatd.wire.noise", "chatd.connection.keepalive", "chatd.chat.rooms"):
            self.assert_faulty(
                module,
                "import time",
                "from time import monotonic",
                "import socket as s",
                "from os import times",
                "import os.path",
                "from zope.interface import implementer",
                "from twisted.internet.defer import Deferred",
                "import twisted",
                "if TYPE_CHECKING:\n    from twisted.internet.interfaces import IReactorTime",
                "def now():\n    import time",
            )
            self.assert_clean(module, "import timetable", "import json", "from chatd import errors")

    def test_pure_layers_read_no_key_files(self):
        """A key reaches the pure layers as bytes, not as a file."""
        faults = faults_in("chatd.chat.rooms", "from chatd.config.keyfile import load_key")
        self.assertEqual(faults, ["chatd.chat.rooms is below chatd.config.keyfile.load_key"])

    def test_reactor(self):
        """No layer imports the global reactor at the level of a module."""
        for module in ("chatd.client.connect", "chatd.daemon.tap", "chatd.cli.main"):
            self.assert_faulty(
                module,
                "from twisted.internet import reactor",
                "from twisted.internet import defer, reactor as r",
                "import twisted.internet.reactor",
                "from twisted.internet.reactor import callLater",
                "class A:\n    from twisted.internet import reactor",
                "try:\n    from twisted.internet import reactor\nfinally:\n    pass",
            )
            self.assert_clean(
                module,
                "def run():\n    from twisted.internet import reactor",
                "async def run():\n    from twisted.internet import reactor",
                "from twisted.internet import defer",
            )

    def test_no_layer(self):
        """A module in no row counts as the package's own, so no lower layer may import it."""
        self.assertEqual(layer_of("chatd.utils.text"), layer_of("chatd"))
        self.assertEqual(layer_of("chatd"), "chatd")
        self.assertEqual(layer_of("chatd.wire.codec.Codec"), "wire")
        self.assertTrue(layer_of("chatdance.wire") is layer_of("twisted") is None)
