"""Which versions a second person must approve: those whose declaration says so."""

from mlflow import MlflowClient
from mlflow.entities import ViewType
from mlflow.entities.model_registry import ModelVersion
from pydantic import TypeAdapter, ValidationError

from modelling.declaration import UseCase
from modelling.declaration.declared_problem import ApprovalDays
from tasks.registry.promotion_history import read_history, versions
from tasks.tracking.pages import all_pages
from tasks.tracking.provenance import APPROVAL_DAYS

DAYS: TypeAdapter[int] = TypeAdapter(ApprovalDays)
DAYS_IF_UNREADABLE: int = UseCase.model_fields["approval_days"].default
RUNS_PER_QUERY = 500  # a statement of SQLite has room for a thousand values


def approval_tags(use_case: UseCase) -> dict[str, str]:
    """The tag of a version that shows within how many days a second person must approve. What
    counts is the parameter of its run, which nobody can change in MLflow."""
    asked = use_case.approval == "second_person"
    return {APPROVAL_DAYS: str(use_case.approval_days)} if asked else {}


def days_to_approve(client: MlflowClient, name: str, version: str) -> int | None:
    """Within how many days a second person must approve; None where nobody has to.

    Asked are the declarations of this version and of all since the last one without the wish for a
    second person that a second person approved: so doing without takes a second person, too,
    whatever is champion meanwhile.
    """
    known = versions(client, name)
    days = _declared_days(client, known)
    numbers = {str(one.version) for one in known}
    released = max(
        (
            int(change.version)
            for change in read_history(client, name).entries
            if change.how == "approved" and change.version in numbers and change.version not in days
        ),
        default=0,
    )
    asked = [days[one] for one in days if one == version or int(one) > released]
    return min(asked, default=None)


def _declared_days(client: MlflowClient, known: list[ModelVersion]) -> dict[str, int]:
    """Within how many days the declaration of a version wants a second person, of those that do.

    The parameters of its run say it, which can only be added to. The tag counts, too, where it asks
    for more: earlier releases have only that, and so has a version whose run was purged.
    """
    of_run = _days_of_runs(client, [one.run_id for one in known])
    days = {}
    for one in known:
        said = filter(None, (one.tags.get(APPROVAL_DAYS), of_run.get(one.run_id)))
        if asked := [*map(_days_in, said)]:
            days[str(one.version)] = min(asked)
    return days


def _days_in(text: str) -> int:
    """The days in a tag or parameter: a number that nobody could declare asks all the same."""
    try:
        return DAYS.validate_strings(text)
    except ValidationError:
        return DAYS_IF_UNREADABLE


def _days_of_runs(client: MlflowClient, run_ids: list[str | None]) -> dict[str | None, str]:
    """The parameter of those of these runs that have it, deleted ones included; a query for many,
    since a run each would take seconds."""
    experiments = [
        found.experiment_id for found in all_pages(client.search_experiments, ViewType.ALL)
    ]
    usable = [run_id for run_id in run_ids if run_id and run_id.isalnum()]
    found: dict[str | None, str] = {}
    for first in range(0, len(usable), RUNS_PER_QUERY):
        listed = ", ".join(f"'{run_id}'" for run_id in usable[first:][:RUNS_PER_QUERY])
        wanted = f"attributes.run_id IN ({listed}) and params.{APPROVAL_DAYS} != ''"
        for run in all_pages(client.search_runs, experiments, wanted, ViewType.ALL):
            found[run.info.run_id] = run.data.params[APPROVAL_DAYS]
    return found
