"""The documentation as a site. Sphinx, because its search is a file beside the pages: it works
from a folder, without a server and without the network. `scripts/build-docs` builds it.

The pages stay Markdown that reads well as it is, so the order of the site comes from the lists of
docs/README.md, and no page has a directive.
"""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
INDEX = "docs/README"

project = "Groundfog"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
root_doc = INDEX
include_patterns = ["*.md", "docs/*.md", "docs/platform/*.md", "fixtures/*/README.md"]
include_patterns += ["benchmarks/README.md", "emulator/protocol/PROTOCOL.md"]
exclude_patterns = ["docs/package-page.md"]
myst_heading_anchors = 3
# Blocks of languages that no highlighter knows.
suppress_warnings = ["misc.highlighting_failure"]
html_theme = "furo"
html_title = "Groundfog"
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
pygments_style = "friendly"


def _with_contents(app: object, page: str, source: list[str]) -> None:
    """Give the index the tree of pages that the site's navigation is made from."""
    if page != INDEX:
        return
    for heading, section in re.findall(r"^## (.+)\n((?:(?!^## ).*\n)*)", source[0], re.MULTILINE):
        links = re.findall(r"\]\(([\w./-]+)\.md\)", section)
        pages = [str((ROOT / "docs" / link).resolve().relative_to(ROOT)) for link in links]
        tree = "\n".join(f"/{path}" for path in pages)
        source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {heading}\n\n{tree}\n```\n"


def setup(app) -> None:
    app.connect("source-read", _with_contents)
