"""The documentation site: ``sphinx-build -W docs build/docs``.

 * pages are Markdown, read by MyST; they are readable as they stand, too
 * the API comes from the docstrings, the commands' page from their help
 * nothing is fetched, when building or when reading

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
from pathlib import Path

from speechbrain_moe import __version__
from speechbrain_moe.cli import build_parser

ROOT = Path(__file__).parents[1]
# pages that stand elsewhere in the repository, shown here as they are
SHOWN = {
    "recipe": "recipes/VoxCeleb/moe_ecapa/README.md",
    "benchmarks": "benchmarks/README.md",
}

project = "speechbrain_moe"
author = "The speechbrain_moe developers"
copyright = "2026, " + author
release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # types stand in the docstrings
napoleon_use_rtype = False

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_title = f"speechbrain_moe {release}"


def show_page(app, docname, source):
    """Take a page's text from where it stands, its links from here."""
    if docname == "commands":
        source[0] = commands_text()
    if docname in SHOWN:
        source[0] = (ROOT / SHOWN[docname]).read_text(encoding="utf-8")
    for up in ("../../../", "../"):
        for name, path in SHOWN.items():
            source[0] = source[0].replace(f"]({up}{path}", f"]({name}.md")
        source[0] = source[0].replace(f"]({up}docs/", "](")


def commands_text():
    """The help of every command, as a page."""
    parser = build_parser()
    (choices,) = (
        action.choices
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    parts = ["# Commands\n", as_block(parser.format_help())]
    for name, command in choices.items():
        parts += [f"## {name}\n", as_block(command.format_help())]
    return "\n".join(parts)


def as_block(text):
    """Text as a block that is shown as it stands."""
    return f"```text\n{text}```\n"


def unquote_bullets(app, what, name, thing, options, lines):
    """Take the space before a module's bullets, which reads as a quote."""
    if what == "module":
        end = lines.index("Authors") if "Authors" in lines else len(lines)
        lines[:] = [line.removeprefix(" ") for line in lines[:end]]


def setup(app):
    """Connect what is changed before a page is parsed."""
    app.connect("source-read", show_page)
    app.connect("autodoc-process-docstring", unquote_bullets)
