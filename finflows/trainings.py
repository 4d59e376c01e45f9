"""Train in a notebook: the same flow, judgement and registry as on the command line."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from finflows import session
from finflows.display import Displayed, Pictures
from finflows.models import ScoringModel, load_champion
from modelling.refusals import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from finflows.drafts import Draft
    from flows.training_result import TrainingResult
    from modelling.declaration import UseCase


@dataclass(frozen=True, repr=False)
class FinishedTraining(Displayed):
    """A judged training. It displays itself, with its pictures."""

    result: "TrainingResult"

    @property
    def run_id(self) -> str:
        """The run in MLflow."""
        return self.result.run_id

    @property
    def url(self) -> str:
        """The page of the run; for the local store, after ``make ui`` or ``finflows ui``."""
        from tasks.tracking.addresses import ui_address

        return ui_address() + self.result.paths["ui"]

    @property
    def metrics(self) -> "pd.Series":
        """The metrics of the test rows by name. NaN: not defined on these rows."""
        import pandas as pd

        return pd.Series(self.result.metrics, name="network", dtype="float64")

    @property
    def baselines(self) -> "pd.DataFrame":
        """The metrics of the same test rows: a row per metric, a column for the network and each
        baseline. NaN: the metric does not judge that baseline."""
        import pandas as pd

        return pd.DataFrame({"network": self.metrics, **self.result.baselines})

    @property
    def advantages(self) -> "pd.DataFrame":
        """How much better the network is, by ``metric`` and ``baseline``: ``value``, and the ends
        ``low`` and ``high`` of its 95 % interval; negative where the baseline is better."""
        import pandas as pd

        keys = pd.MultiIndex.from_tuples(self.result.advantages, names=["metric", "baseline"])
        ends = [tuple(interval) for interval in self.result.advantages.values()]
        return pd.DataFrame(ends, index=keys, columns=["value", "low", "high"])

    @property
    def curve(self) -> "pd.DataFrame":
        """The learning curve: a row per ``epoch`` (from 1), a column for ``loss``, ``val_loss`` and
        each metric. ``figures["learning_curve"]`` is its picture."""
        import pandas as pd

        curve = pd.DataFrame(self.result.epochs)
        return curve.set_axis(pd.RangeIndex(1, len(curve) + 1, name="epoch"))

    @property
    def verdict(self) -> str:
        """What the learning curve says, with its evidence: ``healthy: ...``."""
        return f"{self.result.learning_curve['verdict']}: {self.result.learning_curve['evidence']}"

    @property
    def next_settings(self) -> dict[str, Any]:
        """What the curve suggests to change, for ``train(..., settings=...)``; empty if healthy."""
        return dict(self.result.learning_curve["remedy"])

    @property
    def gate(self) -> str:
        """Whether the model reached what is declared."""
        return self.result.gate_in_words

    @cached_property
    def figures(self) -> Pictures:
        """The pictures of the run, as MLflow has them. Each displays itself."""
        from tasks.tracking.pictures import pictures_of

        return Pictures(pictures_of(self.run_id))

    @cached_property
    def model(self) -> ScoringModel:
        """The registered model. Raises UsageError where this training registered none."""
        if "version" not in self.result.model:
            raise UsageError("this training registered no model: train without register=False")
        return load_champion(self.result.model["name"], self.result.model["version"])

    def _facts(self) -> Iterator[tuple[str, object]]:
        yield "result", self.result.compared
        yield "gate", self.gate
        yield "curve", self.verdict
        if leak := self.result.learning_curve["leak_suspected"]:
            yield "", f"leak suspected: {leak}"
        if self.next_settings:
            yield "try next", f"settings={self.next_settings}"
        model = self.result.model
        if "version" in model:
            yield "registered", f"version {model['version']}: {model['promotion']}"
        yield "run", self.run_id

    def _title(self) -> str:
        return self.result.use_case

    def _repr_html_(self) -> str:
        return super()._repr_html_() + self.figures._repr_html_()


def train(
    use_case: "str | UseCase | Draft",
    frame: "pd.DataFrame | None" = None,
    settings: Mapping[str, Any] | None = None,
    *,
    remedies: int = 0,
    register: bool = True,
    quiet: bool = False,
) -> FinishedTraining:
    """Train, judge and register one use case.

    Parameters
    ----------
    use_case : str, UseCase or Draft
        The name of a declared one, a declaration, or what ``draft`` returned.
    frame : DataFrame (n rows), optional
        The table, in place of the declared source; numbers in the declared units, missing cells as
        NaN, None or NaT, other columns are not read. It is not written to any disk, so the run can
        be repeated only with it: the run says so.
    settings : dict, optional
        Overrides by dotted name, as ``--set``: ``{"training.epochs": 5}``.
    remedies : int
        While the learning curve is not healthy, train again with its remedy, at most so often.
    register : bool
        False leaves the registry as it is.
    quiet : bool
        Print nothing.

    Raises
    ------
    UsageError
        Where the declaration, a setting, the source or the store is wrong.
    DataRefused
        Where the table breaks a critical rule or can't be split; it counts rows, without values.
    MachineError
        Where the training was killed; it says how to go on with it.
    """
    from finflows.given import declared_with

    session.configure()
    with declared_with(use_case, frame, settings) as given, session.stage_lines(quiet):
        session.start()
        from flows.train import train as train_declared
        from flows.train import train_on

        flow = train_declared if given.in_file else train_on(declared=given.use_case)
        return FinishedTraining(flow(given.use_case.name, given.overrides, remedies, register))
