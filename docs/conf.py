"""The site of the documents: ``python -m sphinx docs site`` makes it, with the extra ``docs``."""

from __future__ import annotations

import shutil
from inspect import cleandoc
from pathlib import Path
from typing import TYPE_CHECKING

from sphinx.ext.napoleon import GoogleDocstring
from zope.interface.interface import InterfaceClass, Method

import chatd
from chatd.client.commands import ClientCommands
from chatd.client.factory import ChatClientFactory
from chatd.client.hooks import ClientHooks
from chatd.client.session import ClientSession

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "chatd"
copyright = "the authors of chatd"
release = chatd.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"chatd {release}"

# Headings are anchors as on GitHub, where the same files are read.
myst_heading_anchors = 4

napoleon_use_ivar = True
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
# A name in `single backticks` is code, as in the pages.
default_role = "code"
nitpicky = True
# What is not chatd's own has no page here.
nitpick_ignore_regex = [("py:.*", r"(?!chatd\.\w+$).*")]


def _copy_pictures(app: Sphinx, error: Exception | None) -> None:
    """Copy the pictures that pages name in HTML, which Sphinx does not look into."""
    if error is None:
        pictures = Path(app.srcdir) / "pictures"
        shutil.copytree(pictures, Path(app.outdir) / "pictures", dirs_exist_ok=True)


def _describe_interface(
    app: Sphinx, what: str, name: str, described: object, options: object, lines: list[str]
) -> None:
    """Add the methods of an interface of zope's, which autodoc does not know as a class."""
    if not isinstance(described, InterfaceClass):
        return
    for method_name, method in described.namesAndDescriptions():
        if isinstance(method, Method):
            text = GoogleDocstring(cleandoc(method.__doc__), app.config).lines()
            lines += [f".. method:: {method_name}{method.getSignatureString()}", ""]
            lines += [f"   {line}" for line in text] + [""]


def _names(*classes: type) -> set[str]:
    return {f"{each.__name__}.{name}" for each in classes for name in vars(each)}


_FOR_USERS = {"abort", "is_active"}
_OF_CLIENTS = {name.partition(".")[2] for name in _names(*ClientSession.__mro__)} - {
    *_FOR_USERS,
    *(name.partition(".")[2] for name in _names(*ClientCommands.__mro__, ClientHooks)),
} | {"tell_joined"}
_OF_FACTORIES = _names(ChatClientFactory) | {
    f"ChatFactory.{name}"
    for name in ("takes_runs", "startFactory", "buildProtocol", "check_initialised")
}
"""What chatd and Twisted call, and programs do not."""


def skip_internals(
    app: Sphinx, what: str, name: str, member: object, skip: bool, options: object
) -> bool | None:
    """Leave out what only chatd calls; None leaves the decision to Sphinx."""
    function = member.fget if isinstance(member, property) else member
    module = str(getattr(function, "__module__", ""))
    if module.startswith(("chatd.client.", "chatd.transport.")) and name in _OF_CLIENTS:
        return True
    return True if getattr(function, "__qualname__", None) in _OF_FACTORIES else None


def setup(app: Sphinx) -> None:
    """Have pictures copied, interfaces described, and parts of chatd left out."""
    app.connect("autodoc-skip-member", skip_internals)
    app.connect("autodoc-process-docstring", _describe_interface)
    app.connect("build-finished", _copy_pictures)
