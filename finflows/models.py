"""Registered models, for scoring frames in Python."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from finflows import session
from finflows.display import Displayed

if TYPE_CHECKING:
    import pandas as pd

    from flows.watch import WatchResult
    from tasks.registry.scoring_runs import LoadedModel


@dataclass(frozen=True, repr=False)
class ScoringModel:
    """A registered version, ready to score raw rows."""

    loaded: "LoadedModel"

    @property
    def name(self) -> str:
        """The use case."""
        return self.loaded.name

    @property
    def version(self) -> str:
        """The version in the registry."""
        return self.loaded.version

    @property
    def threshold(self) -> float | None:
        """From where on a binary model decides for the positive class: a probability, or with
        costs an expected cost share (both from 0 to 1). None for other problems."""
        return self.loaded.interface.cut_off

    @property
    def columns(self) -> tuple[str, ...]:
        """The raw columns that it needs; a frame may have others."""
        return tuple(self.loaded.interface.kinds)

    def score(self, frame: "pd.DataFrame") -> "pd.DataFrame":
        """All answers of the registered model, with its reasons where they were asked for.

        Parameters
        ----------
        frame : DataFrame (n rows)
            Raw rows, as the training source has them; missing cells may be NaN, None or NaT.

        Returns
        -------
        DataFrame (n rows)
            With the frame's row labels: ``probability`` (of the positive class; of several classes
            ``probability_CLASS``) and ``decision``, or the ``forecast`` in the unit of the target;
            ``model_version``; ``broken_rules`` and ``unknown`` (text, empty where there are none);
            ``reason_1`` and so on, with its column and effect. Those of a refused row are missing.

        Raises
        ------
        DataRefused
            Where columns are missing.
        """
        return self.loaded.interface.answer(frame)

    def predict(self, frame: "pd.DataFrame") -> "pd.Series":
        """``score(frame)`` without the rest: the decided class of each row (n,), or the forecast;
        missing where the row is refused."""
        answers = self.score(frame)
        return answers["decision" if "decision" in answers else "forecast"]

    def watch(self, frame: "pd.DataFrame", quiet: bool = False) -> "Watch":
        """Compare rows that came after the training with those that this version was judged on.

        Parameters
        ----------
        frame : DataFrame (n rows)
            As the training source has them, with or without the target.
        quiet : bool
            Print nothing.

        Returns
        -------
        Watch
            Also recorded in MLflow.

        Raises
        ------
        UsageError
            Where no file declares the use case, or not as this version was trained.
        DataRefused
            Where the frame lacks columns, or is that of the training.
        """
        from flows.watch import watch_table
        from modelling.data.sources.frames import in_memory

        with in_memory(frame, self.name) as address, session.stage_lines(quiet):
            return Watch(watch_table(self.name, address, self.version))

    def __repr__(self) -> str:
        cut_off = "" if self.threshold is None else f", positive from {self.threshold:.4g} on"
        return f"{self.name} version {self.version}{cut_off}"


@dataclass(frozen=True, repr=False)
class Watch(Displayed):
    """What a watch found. It displays itself."""

    result: "WatchResult"

    @property
    def alarms(self) -> list[str]:
        """What somebody should look at, in words."""
        return self.result.alarms

    @property
    def numbers(self) -> "pd.Series":
        """Stability indices (``psi/age``), metrics and counts by name, as MLflow has them."""
        import pandas as pd

        return pd.Series(self.result.numbers, name="watched", dtype="float64")

    @property
    def run_id(self) -> str:
        """The run in MLflow."""
        return self.result.run_id

    @property
    def url(self) -> str:
        """Its page, as ``FinishedTraining.url``."""
        from tasks.tracking.addresses import ui_address

        return ui_address() + self.result.address

    def _facts(self) -> Iterator[tuple[str, object]]:
        for alarm in self.alarms or ["none"]:
            yield "alarm", alarm
        yield "page", self.url

    def _title(self) -> str:
        return f"{self.result.use_case} version {self.result.model_version}, watched"


def load_champion(name: str, version: str | int | None = None, reasons: int = 0) -> ScoringModel:
    """The champion of the use case ``name``, or another ``version`` of it, which gives up to so
    many ``reasons`` for each row.

    Its files are compared with the hashes that were stored when it was registered. Raises
    UsageError where there is none, they have changed, or it gives no reasons.
    """
    from modelling.declaration import names

    session.configure()
    names.check_use_case_name(name)
    number = None if version is None else str(version)
    from tasks.registry.scoring_runs import load_registered

    return ScoringModel(load_registered(name, number, reasons))
