"""How results look in a notebook. All text is escaped: it holds names from tables."""

import base64
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Picture:
    """A picture (``png``) that displays itself."""

    name: str
    png: bytes

    def _repr_png_(self) -> bytes:
        return self.png

    def __repr__(self) -> str:
        return f"<picture {self.name}, {len(self.png):,} bytes>"

    def html(self) -> str:
        """The picture inside a page, at most 600 pixels wide."""
        data = base64.b64encode(self.png).decode()
        return f'<img alt="{escape(self.name)}" width="600" src="data:image/png;base64,{data}">'


class Pictures(Mapping[str, Picture]):
    """Pictures by name, which display themselves together."""

    def __init__(self, by_name: Mapping[str, bytes]):
        self._pictures = {name: Picture(name, png) for name, png in by_name.items()}

    def __getitem__(self, name: str) -> Picture:
        return self._pictures[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._pictures)

    def __len__(self) -> int:
        return len(self._pictures)

    def __repr__(self) -> str:
        return f"<pictures: {', '.join(self)}>"

    def _repr_html_(self) -> str:
        return "".join(picture.html() for picture in self.values())


class Displayed(ABC):
    """A result that displays itself: a title, and what is known beside its name."""

    @abstractmethod
    def _title(self) -> str: ...

    @abstractmethod
    def _facts(self) -> Iterator[tuple[str, object]]: ...

    def __repr__(self) -> str:
        return "\n".join([self._title(), *(f"  {name:14}{value}" for name, value in self._facts())])

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><th style='text-align:left'>{escape(name)}</th>"
            f"<td style='text-align:left'>{escape(str(value))}</td></tr>"
            for name, value in self._facts()
        )
        return f"<h4>{escape(self._title())}</h4><table>{cells}</table>"


def folded(summary: str, text: str) -> str:
    """A long text behind its title."""
    return f"<details><summary>{escape(summary)}</summary><pre>{escape(text)}</pre></details>"
