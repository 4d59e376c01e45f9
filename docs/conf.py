"""How ``make docs`` builds the pages: from Markdown that is as readable on GitHub.

The source folder is the whole checkout, so that links between the pages here and README,
CONTRIBUTING, CHANGELOG and SECURITY are checked too: all warnings are errors.
"""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
METADATA = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

project = METADATA["name"]
version = release = METADATA["version"]
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["*.md", "docs/*.md"]
exclude_patterns = [".*", "build", "mlruns", "tests", "audit", "benchmarks"]
html_theme = "furo"
html_title = f"{project} {version}"
html_copy_source = False
html_show_sphinx = False
highlight_language = "text"
myst_heading_anchors = 4
smartquotes = False  # "--" begins an option


def setup(app):
    """Sphinx calls it at the start."""
    app.connect("source-read", add_contents)


def add_contents(_app, name, source):
    """The contents are the pages that the index links to, in its order.

    Sphinx wants a directive for that, which GitHub would show as code: so it is added here.
    """
    if name != root_doc:
        return
    links = re.findall(r"\]\(([\w./]+)\.md\)", source[0])
    pages = "\n".join(f"/docs/{link}" for link in dict.fromkeys(links))
    source[0] += f"\n```{{toctree}}\n:hidden:\n\n{pages}\n```\n"
