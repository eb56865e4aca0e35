"""How Sphinx builds the site: `make docs`."""

import os
import pathlib
import re

from sphinx.util import inspect as sphinx_inspect

# TensorFlow greets on standard error with what processor it has found.
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

ROOT = pathlib.Path(__file__).parents[1]

project = "InterHAt-TF"
author = "the InterHAt-TF authors"
copyright = author
release = re.search(r'__version__ = "(.+)"', (ROOT / "interhat_tf/__init__.py").read_text())[1]

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["_build", "pictures/*.py"]
html_theme = "furo"
html_title = f"InterHAt-TF {release}"
html_copy_source = False

# `code` in the docstrings is code, as in the pages' Markdown.
default_role = "code"
myst_enable_extensions = ["attrs_inline"]
myst_heading_anchors = 3

autodoc_default_options = {"members": True, "imported-members": True}
autodoc_member_order = "groupwise"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 88
napoleon_custom_sections = [("Call arguments", "params_style")]
napoleon_use_rtype = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True


def setup(app):
    """Makes a class show its constructor's arguments; Keras' `__new__` takes any."""
    app.connect("autodoc-process-signature", _constructor)


def _constructor(app, what, name, obj, options, signature, returns):
    if what != "class" or "__init__" not in vars(obj):
        return None
    of_init = sphinx_inspect.signature(obj.__init__, bound_method=True)
    return sphinx_inspect.stringify_signature(of_init, unqualified_typehints=True), returns
