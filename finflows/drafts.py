"""A use case that was drafted in a notebook, and is saved where the command line finds it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from finflows.display import Displayed, folded
from modelling.refusals import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from modelling.declaration import Source, UseCase
    from modelling.drafting.columns.findings import TableFindings

WRITTEN_LATER = "the table was a frame in Python: name the file or query that it comes from"


@dataclass(frozen=True, repr=False)
class Draft(Displayed):
    """A drafted use case. It displays itself, ``finflows.train`` trains it as it is.

    Attributes
    ----------
    findings : TableFindings
        All that was found, as plain data: counts, shares, round numbers, shared labels.
    source : Source
        Where the table is, as it was asked for.
    frame : DataFrame, optional
        The table, where it was a frame.
    """

    findings: "TableFindings"
    source: "Source"
    frame: "pd.DataFrame | None" = None

    @property
    def name(self) -> str:
        """What the use case is called."""
        return self.findings.name

    @property
    def text(self) -> str:
        """The module that declares it, with the reason beside each line."""
        return self._text(self._file())

    @property
    def use_case(self) -> "UseCase":
        """The declaration itself."""
        from modelling.declaration.use_case_files import with_source_beside
        from modelling.drafting.writer import declared_by

        return with_source_beside(declared_by(self.text), self._file().parent)

    @property
    def columns(self) -> "pd.DataFrame":
        """One row per column of the table: its ``kind`` and ``role``, why it is ``left_out``
        (None: it is declared), and ``notes`` with the evidence."""
        import pandas as pd

        found = [
            {
                "column": column.name,
                "kind": column.kind,
                "role": column.role,
                "left_out": column.left_out,
                "notes": " ".join(column.notes),
            }
            for column in self.findings.columns
        ]
        return pd.DataFrame(found).set_index("column")

    def save(
        self,
        folder: str | Path | None = None,
        *,
        table: str | Path | None = None,
        force: bool = False,
    ) -> Path:
        """Write the declaration to a file, from which the command line and ``train(name)`` take it.

        Parameters
        ----------
        folder : path, optional
            By default ``use_cases/`` in the current folder, or that of the checkout.
        table : path, optional
            Where the frame is written, as a Parquet file that only you can read, so that the use
            case finds it. Without it, the source of the file is to be named by hand.
        force : bool
            Write over a file that is there.

        Raises
        ------
        UsageError
            Where the file is there already, can't be written, or ``table`` is given without a
            frame. Nothing is written then.
        """
        from tasks.tracking.unfinished_files import refuse_output, write_whole

        file = (Path(folder) if folder else self._file().parent) / f"{self.name}.py"
        text, frame_file = self._text(file, table), None if table is None else Path(table)
        if not force:
            _refuse_existing(file, frame_file)
        if frame_file is not None:
            refuse_output(frame_file, "table")
        if folder is None:
            file.parent.mkdir(exist_ok=True)
        refuse_output(file, "folder")
        if frame_file is not None:
            self._write_frame(frame_file)
        write_whole(file, text)
        return file

    def _write_frame(self, file: Path) -> None:
        from tasks.tracking.unfinished_files import unfinished_file

        assert self.frame is not None
        with unfinished_file(file.absolute()) as part:
            self.frame.to_parquet(part)

    def _file(self) -> Path:
        from modelling.drafting.new_declarations import folder_for_new_declarations

        return folder_for_new_declarations() / f"{self.name}.py"

    def _text(self, file: Path, table: str | Path | None = None) -> str:
        """The text as it stands in ``file``, from where its source is found."""
        from modelling.drafting.new_declarations import seen_from
        from modelling.drafting.writer import draft_text

        findings = self.findings
        if table is not None:
            if self.frame is None:
                raise UsageError(f"table: {self.name} was not drafted from a frame: it has a file")
            found = findings.source
            said = tuple(line for line in found.said if line != WRITTEN_LATER)
            beside = seen_from(file, str(table), is_there=False)
            findings = replace(findings, table=beside, source=replace(found, said=said))
        elif self.frame is None:
            findings = replace(findings, table=seen_from(file, self.source.uri))
        return draft_text(findings)

    def _facts(self) -> Iterator[tuple[str, object]]:
        from flows.command_line.drafted import found_in

        yield from found_in(self.findings)
        for column in self.findings.left_out:
            yield "left out", f"{column.name!r}: {column.left_out}"
        for said in self.findings.worth_a_look:
            yield "worth a look", said

    def _title(self) -> str:
        from flows.command_line.drafted import title_of

        return title_of(self.findings)

    def _repr_html_(self) -> str:
        return super()._repr_html_() + folded(f"use_cases/{self.name}.py", self.text)


def _refuse_existing(file: Path, frame_file: Path | None) -> None:
    if file.exists():
        raise UsageError(
            f"{file} is there already: save(force=True) writes over it, draft(..., name=...) "
            "gives it another name"
        )
    if frame_file is not None and frame_file.exists():
        raise UsageError(f"table {frame_file} is there already: save(force=True) writes over it")
