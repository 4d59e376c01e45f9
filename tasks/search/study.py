"""The study of a search: Optuna proposes settings, and stores the results in a database.

The settings of a trial and its pruning thresholds depend on the seed and on the trials at least
``lag`` before it, never on which worker was faster. So a search that is interrupted, or whose
workers are killed, ends with the same trials.
"""

import json
import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple

import optuna
from filelock import FileLock
from optuna.samplers import RandomSampler
from optuna.trial import FrozenTrial, Trial, TrialState

from modelling.declaration import UseCase
from modelling.declaration.search_space import Choice, Sampler
from modelling.refusals import UsageError
from modelling.training.pruning import PruningThresholds, median_thresholds
from tasks.search.resumed import refuse_another_declaration
from tasks.search.samplers import sampler_of
from tasks.search.space import declared_settings, distributions, size_of
from tasks.tracking.addresses import local_folder
from tasks.tracking.record import TrackedRun

optuna.logging.set_verbosity(optuna.logging.ERROR)
LAG = 4  # at least; enough that two workers never wait for each other
WARM_UP_FOLDS = 1  # the few rows of a single fold end no trial
OUTCOME = "outcome"


@dataclass(frozen=True)
class Outcome:
    """The outcome of a trial: ``val_loss`` of the kept weights over the validation rows of all
    folds, infinite where it diverged or failed; ``curve`` is val_loss by epoch of the first fold,
    up to where it ended; ``means`` is val_loss over the first fold, the first two, and so on."""

    state: Literal["finished", "pruned", "failed"]
    val_loss: float
    curve: list[float]
    verdict: str
    seconds: float
    run_id: str
    means: list[float] = field(default_factory=list)

    @property
    def optuna_state(self) -> TrialState:
        states = {"finished": TrialState.COMPLETE, "pruned": TrialState.PRUNED}
        return states.get(self.state, TrialState.FAIL)


class Thresholds(NamedTuple):
    """Above which a trial ends early: val_loss by epoch where there is one fold, the mean of its
    folds after each of them where there are several."""

    by_epoch: PruningThresholds = ()
    by_fold: PruningThresholds = ()

    def end(self, means: Sequence[float]) -> bool:
        """Whether a trial with these ``means`` of its first folds is not trained on further ones;
        one fold alone says too little, and after the last there is nothing left to save."""
        last = len(means) - 1
        return WARM_UP_FOLDS <= last < len(self.by_fold) - 1 and means[last] > self.by_fold[last]


@dataclass(frozen=True)
class Study:
    """A search: which settings are tried next, and which were best."""

    optuna: optuna.Study
    use_case: UseCase
    trials: int
    sampler: Sampler
    seed: int
    lag: int
    folds: int

    def ask(self, number: int) -> Trial:
        """Trial ``number``: the next one, or one that was interrupted."""
        known = self.optuna.get_trials(deepcopy=False)
        if number < len(known) and known[number].state != TrialState.WAITING:
            return Trial(self.optuna, known[number]._trial_id)
        self.optuna.sampler = sampler_of(self.sampler, self.use_case, self.seed, number)
        return self.optuna.ask(fixed_distributions=distributions(self.use_case))

    def tell(self, number: int, outcome: Outcome) -> None:
        """Pass the outcome of trial ``number`` to Optuna; a diverged trial counts as a bad one."""
        self.optuna.sampler = RandomSampler()  # the grid sampler would try to stop the study
        if outcome.state == "pruned":
            last = len(outcome.curve) - 1
            reported = outcome.means[-1] if outcome.means else outcome.curve[last]
            self.ask(number).report(reported, last + len(outcome.means))
        value = outcome.val_loss if outcome.state == "finished" else None
        self.optuna.tell(number, value, state=outcome.optuna_state)

    def settings(self, number: int) -> dict[str, Any]:
        """The settings of trial ``number`` by dotted name, as overrides."""
        found = self.optuna.get_trials(deepcopy=False)[number].params
        space = self.use_case.search
        return {
            name: json.loads(value) if isinstance(space[name], Choice) else value
            for name, value in found.items()
        }

    def thresholds(self, number: int) -> Thresholds:
        """What trial ``number`` ends early by: the medians of the trials before it; none for the
        declared settings, since the best trial is compared with what they come to."""
        if self._has_declared_settings(self.optuna.get_trials(deepcopy=False)[number]):
            return Thresholds()
        earlier = self.outcomes()[: max(number - self.lag + 1, 0)]
        complete = [outcome for outcome in earlier if outcome.optuna_state == TrialState.COMPLETE]
        if self.folds > 1:
            return Thresholds(by_fold=median_thresholds([one.means for one in complete]))
        return Thresholds(by_epoch=median_thresholds([one.curve for one in complete]))

    def ended_trials(self) -> list[FrozenTrial]:
        """The trials that have ended, in the order of their numbers."""
        trials = self.optuna.get_trials(deepcopy=False)
        return [trial for trial in trials if trial.state.is_finished()]

    def outcomes(self) -> list[Outcome]:
        """The outcomes of the trials that have ended."""
        return [Outcome(**trial.user_attrs[OUTCOME]) for trial in self.ended_trials()]

    def best(self) -> int:
        """The number of the finished trial with the lowest validation loss, of those that are no
        worse in the first fold than the declared settings: it is the training of the declared
        split, which the final one repeats, with all its luck."""
        outcomes, declared = self.outcomes(), self.declared()
        first = [one.means[0] if one.means else one.val_loss for one in outcomes]
        limit = math.inf if declared is None else first[declared]
        losses = [
            (outcome.val_loss, number)
            for number, outcome in enumerate(outcomes)
            if outcome.state == "finished" and not first[number] > limit
        ]
        lowest, number = min(losses, default=(math.inf, -1))
        if not math.isfinite(lowest):
            raise UsageError(
                f"none of {self.trials} trials ended with a finite validation loss: search smaller "
                "learning rates or networks; the run of each trial in MLflow has the reason"
            )
        return number

    def declared(self) -> int | None:
        """The number of the trial that had the declared settings, where one had."""
        trials = enumerate(self.ended_trials())
        return next((n for n, trial in trials if self._has_declared_settings(trial)), None)

    def _has_declared_settings(self, trial: FrozenTrial) -> bool:
        declared = declared_settings(self.use_case)
        return declared.keys() == self.use_case.search.keys() and trial.params == declared


def open_study(
    run: TrackedRun,
    use_case: UseCase,
    trials: int,
    sampler: Sampler,
    seed: int,
    slots: int,
    folds: int = 1,
) -> Study:
    """The study of a search's run: a new one, or that of an interrupted search.

    The first trial has the declared settings, where the space contains them, so that a search does
    not end with a higher validation loss. It ends when every combination was tried. ``folds`` is
    how many a trial of a new search is trained on. Raises UsageError where an interrupted search
    was declared otherwise.
    """
    path = local_folder() / "searches.db"
    with FileLock(f"{path}.lock", timeout=120):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))  # readable by its owner only
        storage = optuna.storages.RDBStorage(
            f"sqlite:///{path}", engine_kwargs={"connect_args": {"timeout": 60}}
        )
        found = optuna.create_study(storage=storage, study_name=run.run_id, load_if_exists=True)
    refuse_another_declaration(found, use_case)
    if "lag" not in found.user_attrs:
        found.set_user_attr("lag", max(LAG, 2 * slots))
        found.set_user_attr("folds", folds)
        if sampler != "grid" and not found.get_trials(deepcopy=False):
            found.enqueue_trial(declared_settings(use_case))
    trials = int(min(trials, size_of(use_case, sampler)))
    lag, folds = found.user_attrs["lag"], found.user_attrs.get("folds", 1)  # of an earlier release
    return Study(found, use_case, trials, sampler, seed, lag, folds)


def store_outcome(trial: Trial, outcome: Outcome) -> Outcome:
    """Store the outcome of a trial at once, before it is its turn to be passed to Optuna."""
    trial.set_user_attr(OUTCOME, asdict(outcome))
    return outcome
