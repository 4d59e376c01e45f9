"""What a table keeps of a declaration, and what it breaks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from finflows import session
from finflows.display import Displayed
from modelling.shown_text import row_count

if TYPE_CHECKING:
    import pandas as pd

    from finflows.drafts import Draft
    from modelling.declaration import UseCase
    from modelling.refusals import BrokenRule


@dataclass(frozen=True, repr=False)
class TableCheck(Displayed):
    """What was found in a table. It displays itself.

    Attributes
    ----------
    use_case : str
        The name of the use case.
    rows : dict, optional
        How many rows each part has: train, validation, test. None where the table can't be trained
        on.
    broken_rules : tuple of BrokenRule
        Each with the number of rows that break it, never with a value.
    """

    use_case: str
    rows: dict[str, int] | None
    broken_rules: "tuple[BrokenRule, ...]"

    @property
    def passed(self) -> bool:
        """Whether the table can be trained on; rules that only warn may be broken."""
        return self.rows is not None

    @property
    def broken(self) -> "pd.DataFrame":
        """One row per broken rule: ``column``, ``rule``, ``rows`` that break it (None: it is not
        about rows), ``severity`` and the ``setting`` that declares it."""
        import pandas as pd

        names = ["column", "rule", "rows", "severity", "setting"]
        found = [[getattr(rule, name) for name in names] for rule in self.broken_rules]
        return pd.DataFrame(found, columns=names)

    def _facts(self) -> Iterator[tuple[str, object]]:
        for part, rows in (self.rows or {}).items():
            yield part, row_count(rows)
        for rule in self.broken_rules:
            yield rule.word, str(rule)

    def _title(self) -> str:
        ready = "ready to train" if self.passed else "this table can't be trained on"
        return f"{self.use_case}: {ready}"


def check(
    use_case: "str | UseCase | Draft",
    frame: "pd.DataFrame | None" = None,
    settings: Mapping[str, Any] | None = None,
) -> TableCheck:
    """Read, type and validate a table without training.

    Parameters
    ----------
    use_case : str, UseCase or Draft
        Which declaration; by its name, as it is, or as it was drafted.
    frame : DataFrame (n rows), optional
        Another table than the declared one.
    settings : dict, optional
        Overrides by dotted name, as for ``train``.

    Raises
    ------
    UsageError
        Where the declaration, a setting or the source is wrong.
    DataRefused
        Where there is no table, or it can't be split as declared.
    """
    from finflows.given import declared_with
    from modelling.refusals import DataRefused

    session.configure()
    with declared_with(use_case, frame, settings) as given, session.stage_lines(quiet=True):
        from tasks.preparation import prepare

        try:
            prepared = prepare(given.as_trained)
        except DataRefused as refused:
            if not refused.broken:
                raise
            return TableCheck(given.use_case.name, None, refused.broken)
    rows = {name: len(part) for name, part in prepared.parts._asdict().items()}
    return TableCheck(given.use_case.name, rows, tuple(prepared.report.broken))
