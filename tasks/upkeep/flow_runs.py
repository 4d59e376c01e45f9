"""End runs whose process has died, in MLflow and in Prefect, so that both agree."""

from collections.abc import Iterable
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Crashed

from tasks.tracking.reaping import close_all_dead, close_run
from tasks.tracking.store import connect
from tasks.workers.temporary_server import ensure_server


def reap() -> list[str]:
    """End runs that are recorded as running but are not; one line for each.

    MLflow runs of this machine whose process was killed become KILLED, and their flow runs Crashed.
    MLflow runs of other machines are closed where their flow run has ended in Prefect.
    """
    changes = []
    dead, on_other_machines = close_all_dead()
    changes += [f"MLflow run {run.info.run_id} closed: its process was killed" for run in dead]
    for flow_run in _flow_runs(run.data.tags.get("prefect_flow_run", "none") for run in dead):
        if flow_run.state is not None and not flow_run.state.is_final():
            with get_client(sync_client=True) as client:
                reason: State = Crashed(message="its process was killed (finflows doctor)")
                client.set_flow_run_state(flow_run.id, reason)
            changes.append(f"flow run {flow_run.name} ({flow_run.id}) marked as Crashed")
    for flow_run in _flow_runs(on_other_machines):
        if flow_run.state is not None and flow_run.state.is_final():
            run = on_other_machines[str(flow_run.id)]
            close_run(connect(), run, f"its flow run {flow_run.id} is {flow_run.state.name}")
            changes.append(f"MLflow run {run.info.run_id} closed: its flow run has ended")
    return changes


def _flow_runs(ids: Iterable[str]) -> list[FlowRun]:
    wanted = [UUID(flow_run_id) for flow_run_id in ids if flow_run_id != "none"]
    if not wanted:  # or a server would be started for nothing
        return []
    ensure_server()
    with get_client(sync_client=True) as client:
        return client.read_flow_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=wanted)))
