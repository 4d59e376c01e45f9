"""A dossier as Markdown, and as one self-contained HTML page that prints well on A4."""

import re
from base64 import b64encode
from html import escape
from pathlib import Path

from markdown_it import MarkdownIt

STYLE = """
@page { size: A4; margin: 18mm }
body { font: 15px/1.5 system-ui, sans-serif; color: #1a1a1a; max-width: 860px; margin: 2em auto;
  padding: 0 1em }
h1, h2, h3 { line-height: 1.25; break-after: avoid }
h2 { margin-top: 2.2em; border-bottom: 1px solid #bbb }
table { border-collapse: collapse; width: 100%; font-size: 13px; break-inside: auto }
td, th { border-bottom: 1px solid #ddd; padding: .3em .5em; text-align: left; vertical-align: top;
  overflow-wrap: anywhere }
tr, img, pre { break-inside: avoid }
img { max-width: 100%; height: auto; display: block; margin: 1em auto }
pre, code { font-size: 12px; white-space: pre-wrap; overflow-wrap: anywhere }
@media print { body { font-size: 10.5pt; margin: 0; max-width: none } a { color: inherit } }
"""
IMAGE = re.compile(r'<img src="([^"]+)"')


def as_html(markdown: str, title: str, folder: Path) -> str:
    """The page; pictures that lie in ``folder`` are inside it. HTML in the Markdown is escaped."""
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    body = IMAGE.sub(lambda found: f'<img src="{_inlined(folder / found[1])}"', body)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body>\n{body}</body></html>\n"
    )


def _inlined(picture: Path) -> str:
    return f"data:image/png;base64,{b64encode(picture.read_bytes()).decode()}"
