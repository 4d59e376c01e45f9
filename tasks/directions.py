"""Show that the declared directions hold, before a model is registered."""

import logging

import pandas as pd

from modelling.data.splitting import Parts
from modelling.declaration import UseCase
from modelling.judgement.directions import refuse_violations, sweep_directions
from modelling.judgement.packaging import Package
from tasks.tracking.record import TrackedRun

log = logging.getLogger("finflows")
DIRECTIONS = "directions.csv"


def prove_directions(run: TrackedRun, package: Package, parts: Parts, use_case: UseCase) -> None:
    """Record the sweep of each column with a direction over test rows.

    Raises UsageError where the score went the wrong way.
    """
    sweeps = sweep_directions(package, parts.train, parts.test, use_case)
    if not sweeps:
        return
    run.log_text(pd.DataFrame(sweeps).to_csv(index=False), DIRECTIONS)
    refuse_violations(sweeps)
    columns, steps = len(sweeps), sum(sweep.steps for sweep in sweeps)
    log.info("%-11s %d columns, held in all of %s steps", "directions", columns, f"{steps:,}")
