"""Let Prefect notice that the process of a flow run has died: its heartbeats stop."""

from datetime import timedelta

from prefect.automations import Automation
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.settings import get_current_settings

AUTOMATION = "finance-flows: crash flow runs without heartbeat"
# All but `approve`, which is suspended, without heartbeats, until somebody answers.
WATCHED_FLOWS = "train", "train-all", "train-job", "search", "score", "watch", "compare", "upkeep"
ENDINGS = ("Completed", "Failed", "Cancelled", "Crashed")


def watch_heartbeats() -> bool:
    """Make Prefect mark runs of ``WATCHED_FLOWS`` as Crashed when three heartbeats are missing.

    Heartbeats are sent every ``PREFECT_FLOWS_HEARTBEAT_FREQUENCY`` seconds (180 by default).
    Returns whether the automation is new; an existing one for the same flows is kept.
    """
    related = ResourceSpecification(
        {"prefect.resource.role": "flow", "prefect.resource.name": list(WATCHED_FLOWS)}
    )
    with get_client(sync_client=True) as client:
        for known in client.read_automations_by_name(AUTOMATION):
            if getattr(known.trigger, "match_related", None) == related:
                return False
            client.delete_automation(known.id)
    seconds = get_current_settings().flows.heartbeat_frequency or 180
    beat = "prefect.flow-run.heartbeat"
    Automation(
        name=AUTOMATION,
        trigger=EventTrigger(
            after={beat},
            expect={beat, *(f"prefect.flow-run.{ending}" for ending in ENDINGS)},
            match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
            match_related=related,
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=3 * seconds),
        ),
        actions=[
            ChangeFlowRunState(
                name="Crashed",
                state=StateType.CRASHED,
                message="its heartbeats stopped",
                force=False,
            )
        ],
    ).create()
    return True
