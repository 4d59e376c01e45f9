"""Flow runs whose process is gone: what Prefect and MLflow say of them is made to agree."""

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
    """End what says that it runs but does not; one line for each, empty if all is well.

    MLflow runs of this machine whose process was killed become KILLED and their flow runs Crashed.
    MLflow runs of other machines are closed where Prefect knows that their flow run has ended.
    """
    done = []
    dead, elsewhere = close_all_dead()
    done += [f"MLflow run {one.info.run_id} closed: its process was killed" for one in dead]
    for flow_run in _flow_runs(one.data.tags.get("prefect_flow_run", "none") for one in dead):
        if flow_run.state is not None and not flow_run.state.is_final():
            with get_client(sync_client=True) as client:
                reason: State = Crashed(message="its process was killed (finflows doctor)")
                client.set_flow_run_state(flow_run.id, reason)
            done.append(f"flow run {flow_run.name} ({flow_run.id}) marked as Crashed")
    for flow_run in _flow_runs(elsewhere):
        if flow_run.state is not None and flow_run.state.is_final():
            run = elsewhere[str(flow_run.id)]
            close_run(connect(), run, f"its flow run {flow_run.id} is {flow_run.state.name}")
            done.append(f"MLflow run {run.info.run_id} closed: its flow run has ended")
    return done


def _flow_runs(ids: Iterable[str]) -> list[FlowRun]:
    wanted = [UUID(one) for one in ids if one != "none"]
    if not wanted:  # without a configured server, asking would start one
        return []
    ensure_server()
    with get_client(sync_client=True) as client:
        return client.read_flow_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=wanted)))
