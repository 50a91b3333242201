"""The site of the documents: ``python -m sphinx docs site`` makes it, with the extra ``docs``."""

from __future__ import annotations

import shutil
from inspect import cleandoc
from pathlib import Path
from typing import TYPE_CHECKING

from sphinx.ext.napoleon import GoogleDocstring
from zope.interface.interface import InterfaceClass, Method

import chatd

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


def setup(app: Sphinx) -> None:
    """Have pictures copied and interfaces described."""
    app.connect("autodoc-process-docstring", _describe_interface)
    app.connect("build-finished", _copy_pictures)
