"""Ask a second person in Prefect whether a version becomes champion, and record the answer."""

from typing import Annotated

from prefect import flow, suspend_flow_run
from prefect.runtime import flow_run

from flows.parameters import described
from modelling.declaration import names
from modelling.refusals import UsageError
from tasks.registry import approvals
from tasks.registry.approval_form import ask_in_prefect, form_of
from tasks.registry.identity import typed_name

ANSWERS = {"approve": approvals.approve, "decline": approvals.decline}


@flow(name="approve", flow_run_name="{use_case_name} version {version}", persist_result=False)
def approve(
    use_case_name: Annotated[str, described("A use case with a registered model.")],
    version: Annotated[str, described("The version that waits.")],
    until: Annotated[str, described("When its request lapses, as the history has it.")],
    refused: Annotated[str, described("Why the answer before was refused.")] = "",
) -> str:
    """Wait, suspended, until a person answers the form, and do what ``finflows approve`` or
    ``finflows decline`` does.

    Prefect schedules it again with the answer. An answer that is refused, as that of the person who
    asked, fails the flow run with the reason, and another one asks again.
    """
    names.check_use_case_name(use_case_name)
    request = approvals.waiting_request(use_case_name, version, until)
    form = form_of(use_case_name, request, refused)
    answer = suspend_flow_run(form, timeout=request.seconds_left)
    try:
        reason, by = names.check_reason(answer.reason.strip()), typed_name(answer.name)
        ANSWERS[answer.decision](use_case_name, version, reason, by)
    except UsageError as error:
        ask_in_prefect(use_case_name, version, until, str(error), flow_run.id)
        raise
    return f"{use_case_name} version {version}: {answer.decision} by {by}"
