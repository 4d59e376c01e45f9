"""The study of a search: Optuna proposes, and remembers in a database what came of it.

What a trial is proposed, and the bar that it must clear, follow from the seed and from the trials
at least ``lag`` before it, never from which worker was faster. So a search can be interrupted and
its workers killed, and ends with the same trials.
"""

import json
import math
import os
from dataclasses import asdict, dataclass
from typing import Any, Literal

import optuna
from filelock import FileLock
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, GridSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, Trial, TrialState

from modelling.declaration import UseCase
from modelling.declaration.search_space import Choice, Dimension, Sampler
from modelling.refusals import UsageError
from modelling.training.pruning import PruningThresholds, median_thresholds
from tasks.tracking.record import TrackedRun
from tasks.tracking.store import local_folder

optuna.logging.set_verbosity(optuna.logging.ERROR)
LAG = 4  # at least: with so few trials under way two workers never wait for each other
STARTUP_TRIALS = 8  # proposed at random, before TPE has seen enough
OUTCOME = "outcome"


@dataclass(frozen=True)
class Outcome:
    """What came of a trial: ``val_loss`` is that of the weights that it kept, infinite where it
    diverged or failed; ``curve`` is val_loss by epoch, as far as it came."""

    state: Literal["finished", "pruned", "failed"]
    val_loss: float
    curve: list[float]
    verdict: str
    seconds: float
    run_id: str

    @property
    def told(self) -> TrialState:
        states = {"finished": TrialState.COMPLETE, "pruned": TrialState.PRUNED}
        return states.get(self.state, TrialState.FAIL)


@dataclass(frozen=True)
class Study:
    """One search: which settings are tried next, and which were best."""

    optuna: optuna.Study
    use_case: UseCase
    trials: int
    sampler: Sampler
    seed: int
    lag: int

    def ask(self, number: int) -> Trial:
        """Trial ``number``, the next one, or one that was interrupted."""
        known = self.optuna.get_trials(deepcopy=False)
        if number < len(known) and known[number].state != TrialState.WAITING:
            return Trial(self.optuna, known[number]._trial_id)
        self.optuna.sampler = self._sampler(number)
        return self.optuna.ask(fixed_distributions=distributions(self.use_case))

    def tell(self, number: int, outcome: Outcome) -> None:
        """Count what came of trial ``number``; a diverged one is a bad one, not a missing one."""
        self.optuna.sampler = RandomSampler()  # a grid's would want to stop us
        if outcome.state == "pruned":
            last = len(outcome.curve) - 1
            self.ask(number).report(outcome.curve[last], last)
        value = outcome.val_loss if outcome.state == "finished" else None
        self.optuna.tell(number, value, state=outcome.told)

    def settings(self, number: int) -> dict[str, Any]:
        """The settings of trial ``number`` by dotted name, as overrides."""
        found = self.optuna.get_trials(deepcopy=False)[number].params
        space = self.use_case.search
        return {
            name: json.loads(value) if isinstance(space[name], Choice) else value
            for name, value in found.items()
        }

    def pruning_thresholds(self, number: int) -> PruningThresholds:
        """What trial ``number`` must clear, by epoch."""
        seen = self.told()[: max(number - self.lag + 1, 0)]
        curves = [one.user_attrs[OUTCOME]["curve"] for one in seen if one.state.name == "COMPLETE"]
        return median_thresholds(curves)

    def told(self) -> list[FrozenTrial]:
        """The trials that are over, in the order of their numbers."""
        return [one for one in self.optuna.get_trials(deepcopy=False) if one.state.is_finished()]

    def outcomes(self) -> list[Outcome]:
        """What came of the trials that are over."""
        return [Outcome(**one.user_attrs[OUTCOME]) for one in self.told()]

    def best(self) -> int:
        """The number of the finished trial with the lowest validation loss."""
        losses = [
            (one.val_loss, n) for n, one in enumerate(self.outcomes()) if one.state == "finished"
        ]
        lowest, number = min(losses, default=(math.inf, -1))
        if not math.isfinite(lowest):
            raise UsageError(
                f"none of {self.trials} trials ended with a finite validation loss: search smaller "
                "learning rates or networks; each trial's run in MLflow says what happened"
            )
        return number

    def _sampler(self, number: int) -> BaseSampler:
        if self.sampler == "grid":
            return GridSampler(grid(self.use_case), seed=self.seed)
        seed = self.seed * 100_003 + number  # each trial's own: an interrupted search goes on alike
        if self.sampler == "random":
            return RandomSampler(seed=seed)
        return TPESampler(seed=seed, n_startup_trials=STARTUP_TRIALS, constant_liar=True)


def open_study(
    run: TrackedRun, use_case: UseCase, trials: int, sampler: Sampler, seed: int, slots: int
) -> Study:
    """The study of a search's run: a new one, or as far as an interrupted one came.

    It begins with the settings as they are declared, where the space holds them, so that a search
    does not end with something worse on the validation rows. A grid ends when all was tried.
    """
    path = local_folder() / "searches.db"
    with FileLock(f"{path}.lock", timeout=120):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))  # its owner's alone
        storage = optuna.storages.RDBStorage(
            f"sqlite:///{path}", engine_kwargs={"connect_args": {"timeout": 60}}
        )
        found = optuna.create_study(storage=storage, study_name=run.run_id, load_if_exists=True)
    if "lag" not in found.user_attrs:
        found.set_user_attr("lag", max(LAG, 2 * slots))
        if sampler != "grid" and not found.get_trials(deepcopy=False):
            found.enqueue_trial(_declared_settings(use_case))
    if sampler == "grid":
        trials = min(trials, math.prod(map(len, grid(use_case).values())))
    return Study(found, use_case, trials, sampler, seed, found.user_attrs["lag"])


def distributions(use_case: UseCase) -> dict[str, BaseDistribution]:
    """The declared space in Optuna's terms; choices are JSON text, which its database can hold."""
    return {name: _distribution(one) for name, one in use_case.search.items()}


def _distribution(dimension: Dimension) -> BaseDistribution:
    if isinstance(dimension, Choice):
        return CategoricalDistribution([json.dumps(value) for value in dimension.values])
    low, high, log = dimension.low, dimension.high, dimension.log
    if dimension.whole:
        return IntDistribution(round(low), round(high), log=log)
    return FloatDistribution(low, high, log=log)


def grid(use_case: UseCase) -> dict[str, list[Any]]:
    """Every choice, and both ends and the middle of every range."""
    return {
        name: [json.dumps(v) if isinstance(one, Choice) else v for v in one.grid_values()]
        for name, one in use_case.search.items()
    }


def _declared_settings(use_case: UseCase) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for name, dimension in use_case.search.items():
        part, _, setting = name.partition(".")
        value = getattr(getattr(use_case, part), setting)
        if dimension.contains(value):
            settings[name] = json.dumps(value) if isinstance(dimension, Choice) else value
    return settings


def remember(trial: Trial, outcome: Outcome) -> Outcome:
    """Write down what came of a trial at once, before its turn to be told."""
    trial.set_user_attr(OUTCOME, asdict(outcome))
    return outcome
