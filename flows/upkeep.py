"""Upkeep of a machine or a team's server: end dead runs, and check for the usual problems."""

from prefect import flow

from flows.parameters import dated_name
from modelling.refusals import UsageError
from tasks.registry.relocation import relocate_models
from tasks.tracking.unfinished_files import remove_leftovers
from tasks.upkeep.flow_runs import reap
from tasks.upkeep.health import Check, run_checks
from tasks.workers.heartbeats import watch_heartbeats
from tasks.workers.temporary_server import configured_server


def run_upkeep() -> tuple[list[Check], list[str]]:
    """Returns the checks, and one line for each dead run that was ended, each model that was copied
    to the artifact store, and each leftover of a killed process that was removed.

    A configured Prefect server is also set up to watch the heartbeats of flow runs.
    """
    checks = run_checks()
    reachable = {check.name for check in checks if check.passed}
    if configured_server() and "prefect" in reachable:
        watch_heartbeats()
    reaped = reap() if {"tracking", "prefect"} <= reachable else []
    moved = relocate_models() if "tracking" in reachable else []
    return checks, [*reaped, *moved, *remove_leftovers()]


@flow(name="upkeep", flow_run_name=dated_name, persist_result=False)
def upkeep() -> list[str]:
    """End dead runs. Raises UsageError with the findings of the checks that fail."""
    checks, reaped = run_upkeep()
    if failed := [check for check in checks if not check.passed]:
        raise UsageError("; ".join(f"{check.name}: {check.finding}" for check in failed))
    return reaped
