"""How measurements are reported: on the terminal, beside their targets, and in ``mlruns/``."""

import json
from typing import Any

from rich.console import Console

from benchmarks.measuring import REPOSITORY


def open_console(width: int) -> Console:
    """As wide as the terminal; ``width`` where the output goes to a file or a pipe."""
    return Console(highlight=False, width=None if Console().is_terminal else width)


def met_or_missed(is_met: bool) -> str:
    """The verdict behind a target."""
    return "met" if is_met else "MISSED"


def write_results(name: str, results: Any, console: Console) -> None:
    """Write ``results`` to ``mlruns/NAME.json``, and say so."""
    file = REPOSITORY / "mlruns" / f"{name}.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(results, indent=1))
    console.print(f"Written to {file.relative_to(REPOSITORY)}")
