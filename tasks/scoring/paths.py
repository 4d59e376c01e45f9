"""Where answers go, and where not. It loads no library: a command asks before anything else."""

from pathlib import Path

from modelling.declaration import Source
from modelling.declaration.references import ADDRESS, expand, refuse_unreadable
from modelling.refusals import UsageError
from tasks.tracking.unfinished_files import refuse_output

PARQUET = (".parquet", ".pq")


def is_parquet(path: Path) -> bool:
    return path.suffix.lower() in PARQUET


def quarantine_of(output: Path) -> Path:
    """Where the refused rows of ``output`` go."""
    return output.with_name(f"{output.stem}.quarantine{output.suffix}")


def input_path(source: Source) -> Path:
    """Where the table is, if it is a file of this machine."""
    return Path(expand(source.uri, ADDRESS))


def refuse_paths(source: Source, output: Path) -> None:
    """Raise UsageError where ``source`` can't be read, or no answers can be written to ``output``:
    CSV or Parquet, anywhere but over the input."""
    refuse_output(output, "OUTPUT", (".csv", *PARQUET))
    refuse_unreadable(source)
    if input_path(source).resolve() in (output.resolve(), quarantine_of(output).resolve()):
        raise UsageError(f"OUTPUT {output}: the answers would overwrite the input")
