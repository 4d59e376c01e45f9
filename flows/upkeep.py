"""What keeps a box or a team's server in order: dead runs are ended, the usual traps looked for."""

from prefect import flow
from prefect.settings import PREFECT_API_URL

from modelling.refusals import UsageError
from tasks.registry.relocation import relocate_models
from tasks.tracking.unfinished_files import remove_leftovers
from tasks.upkeep.flow_runs import reap
from tasks.upkeep.health import Check, run_checks
from tasks.workers.heartbeats import watch_heartbeats


def run_upkeep() -> tuple[list[Check], list[str]]:
    """The checks, and one line for each run that was ended because nobody runs it any more, for
    each model that was brought home, and for each file that a killed process left.

    Where a Prefect server is configured, it is also told to watch the heartbeats of flow runs.
    """
    checks = run_checks()
    reachable = {one.name for one in checks if one.passed}
    if PREFECT_API_URL.value() and "prefect" in reachable:
        watch_heartbeats()
    reaped = reap() if {"tracking", "prefect"} <= reachable else []
    moved = relocate_models() if "tracking" in reachable else []
    return checks, [*reaped, *moved, *remove_leftovers()]


@flow(name="upkeep", persist_result=False)
def upkeep() -> list[str]:
    """End dead runs. Raises UsageError with the findings of the checks that fail."""
    checks, reaped = run_upkeep()
    if failed := [one for one in checks if not one.passed]:
        raise UsageError("; ".join(f"{one.name}: {one.finding}" for one in failed))
    return reaped
