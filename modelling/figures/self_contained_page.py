"""Markdown as one page of HTML that needs no other file, and prints well on A4: MLflow's viewer
can't follow a link from one artifact to another."""

import re
from base64 import b64encode
from collections.abc import Mapping
from html import escape, unescape
from urllib.parse import unquote

from markdown_it import MarkdownIt

STYLE = """
@page { size: A4; margin: 18mm }
body { font: 15px/1.5 system-ui, sans-serif; color: #1a1a1a; max-width: 860px; margin: 2em auto;
  padding: 0 1em; overflow-wrap: anywhere }
h1, h2, h3 { line-height: 1.25; break-after: avoid }
h2 { margin-top: 2.2em; border-bottom: 1px solid #bbb }
table { border-collapse: collapse; width: 100%; font-size: 13px; break-inside: auto }
td, th { border-bottom: 1px solid #ddd; padding: .3em .5em; text-align: left; vertical-align: top;
  overflow-wrap: break-word }
td code { overflow-wrap: anywhere }
tr, img, pre { break-inside: avoid }
img { max-width: 100%; height: auto; display: block; margin: 1em auto }
pre, code { font-size: 12px; white-space: pre-wrap; overflow-wrap: anywhere }
@media screen {
  /* a wide table goes on to the right edge of the window, then scrolls by itself */
  table { display: block; width: max-content; overflow-x: auto;
    max-width: max(100%, min(50vw + 395px, 100vw - 3em)) }
  .interval { white-space: nowrap }
  pre, pre code { white-space: pre; overflow-x: auto; overflow-wrap: normal }
}
@media print { body { font-size: 10.5pt; margin: 0; max-width: none } a { color: inherit } }
"""
IMAGE = re.compile(r'<img src="([^"]+)"')
INTERVAL = re.compile(r"\[[\d.,e-]+, [\d.,e-]+\](?=[^<>]*<)")  # in a text, not in an attribute


def self_contained_page(markdown: str, title: str, pictures: Mapping[str, bytes]) -> str:
    """The page, with the PNG files in ``pictures``, by the names under which the Markdown shows
    them; a picture from elsewhere is not loaded. HTML in the Markdown is escaped: titles and names
    of columns are text."""

    def inlined(found: re.Match[str]) -> str:
        png = pictures.get(unquote(unescape(found[1])))  # as it was before it became an address
        return f'<img src="data:image/png;base64,{b64encode(png).decode()}"' if png else "<img"

    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    body = INTERVAL.sub(r'<span class="interval">\g<0></span>', IMAGE.sub(inlined, body))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title>"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body>\n{body}</body></html>\n"
    )
