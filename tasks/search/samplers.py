"""How the next settings are proposed: by Optuna's samplers, and none of them twice."""

from collections.abc import Iterator
from itertools import chain, repeat
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, GridSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial

from modelling.declaration import UseCase
from modelling.declaration.search_space import Sampler
from tasks.search.space import distributions, grid

STARTUP_TRIALS = 8  # drawn at random, before TPE has enough results


def sampler_of(kind: Sampler, use_case: UseCase, seed: int, number: int) -> BaseSampler:
    """The sampler of trial ``number``, with a seed of its own: a resumed search draws the same."""
    if kind == "grid":
        return GridSampler(grid(use_case), seed=seed)
    seed = seed * 100_003 + number
    if kind == "random":
        return WithoutRepeats(RandomSampler(seed=seed), seed, use_case)
    tpe = TPESampler(seed=seed, n_startup_trials=STARTUP_TRIALS, constant_liar=True)
    return WithoutRepeats(tpe, seed, use_case)


class WithoutRepeats(BaseSampler):
    """Proposes what ``sampler`` does; where an earlier trial had the same, what is drawn at random
    until none had. Trainings are repeatable: the same settings would have the same loss again.

    There must be settings left that no trial had.
    """

    def __init__(self, sampler: BaseSampler, seed: int, use_case: UseCase):
        self.sampler, self.space = sampler, distributions(use_case)
        self.at_random = RandomSampler(seed=seed)

    def infer_relative_search_space(
        self,
        study: optuna.Study,  # noqa: ARG002
        trial: FrozenTrial,  # noqa: ARG002
    ) -> dict[str, BaseDistribution]:
        """All settings are drawn together, to be compared with those of earlier trials."""
        return self.space

    def sample_relative(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        search_space: dict[str, BaseDistribution],
    ) -> dict[str, Any]:
        known = study.get_trials(deepcopy=False)
        tried = [other.params for other in known if other.number < trial.number]
        return next(
            drawn for drawn in self._draws(study, trial, search_space) if drawn not in tried
        )

    def _draws(
        self, study: optuna.Study, trial: FrozenTrial, space: dict[str, BaseDistribution]
    ) -> Iterator[dict[str, Any]]:
        for sampler in chain([self.sampler], repeat(self.at_random)):
            together = sampler.infer_relative_search_space(study, trial)
            drawn = sampler.sample_relative(study, trial, together)
            yield {
                name: drawn[name]
                if name in drawn
                else sampler.sample_independent(study, trial, name, distribution)
                for name, distribution in space.items()
            }

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        return self.sampler.sample_independent(study, trial, param_name, param_distribution)
