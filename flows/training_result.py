"""What a training leaves behind, for scripts, terminals and notebooks."""

from typing import Any

from pydantic import BaseModel, Field

from modelling.judgement.intervals import Interval
from modelling.judgement.judging import Judgement
from modelling.learning_curve.attempt import Attempt
from tasks.reporting import compared_with_strongest
from tasks.tracking.record import TrackedRun


class TrainingResult(BaseModel):
    """What a training leaves behind, by name and address; metrics are those of the test rows."""

    run_id: str
    use_case: str
    metrics: dict[str, float]
    learning_curve: dict[str, Any]
    gate: dict[str, bool | str]
    model: dict[str, str]
    paths: dict[str, str]
    # For those who asked in Python or at a terminal, not for scripts.
    compared: str = Field("", exclude=True)  # in words
    epochs: dict[str, list[float]] = Field({}, exclude=True)
    baselines: dict[str, dict[str, float]] = Field({}, exclude=True)
    advantages: dict[tuple[str, str], Interval] = Field({}, exclude=True)

    @classmethod
    def of(
        cls, run: TrackedRun, trained: Attempt, judgement: Judgement, model: dict[str, str]
    ) -> "TrainingResult":
        use_case, gate = judgement.use_case, judgement.gate
        return cls(
            run_id=run.run_id,
            use_case=use_case.name,
            metrics=judgement.metrics,
            learning_curve=trained.summary(),
            gate={**gate._asdict(), "declared": use_case.gate is not None},
            model=model,
            paths=run.paths,
            compared=compared_with_strongest(judgement),
            epochs=trained.history.metrics,
            baselines=judgement.baseline_metrics,
            advantages=judgement.advantages,
        )

    @property
    def gate_in_words(self) -> str:
        """Whether the model reached what is declared, and what that is."""
        if not self.gate["declared"]:
            return "none declared"
        return f"{'passed' if self.gate['passed'] else 'FAILED'}, {self.gate['reason']}"
