"""Record a watch in MLflow: numbers, a picture and a page."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from modelling.declaration import Source, UseCase
from modelling.watching.history import PastWatch, side_by_side
from modelling.watching.report import Watched
from tasks.registry.scoring_runs import LoadedModel, recorded_use
from tasks.report import with_pictures
from tasks.tracking.pages import first_results
from tasks.tracking.record import TrackedRun
from tasks.tracking.store import connect

WATCH, WATCH_PNG = "watch", "watch.png"
SHOWN = 24  # watches side by side: two years of months


@contextmanager
def record_watch(
    model: LoadedModel, use_case: UseCase
) -> Iterator[Callable[[Watched], tuple[str, str]]]:
    """An MLflow run for a watch, in the experiment ``NAME-watch``; call the yielded function with
    what was found, and it returns the run's id and the address of its page."""
    source = use_case.source
    assert isinstance(source, Source)  # the input is one
    with recorded_use(model, source, WATCH) as use:

        def record(watched: Watched) -> tuple[str, str]:
            from modelling.figures.watching import draw_watch

            info = use.run.info
            run = TrackedRun(connect(), info.run_id, info.experiment_id, info.artifact_uri)
            use.record({**watched.numbers, "alarm": "; ".join(watched.alarms) or "none"})
            run.log_picture(draw_watch(watched, use_case.title), WATCH_PNG)
            past = _watches(run, model.model_id)
            markdown = watched.markdown() + side_by_side(
                past, [*model.packaged.profile["headline"]]
            )
            run.log_text(markdown, "watch.md")
            run.log_text(with_pictures(markdown, run.pictures), "watch.html")
            return info.run_id, run.address

        yield record


def _watches(run: TrackedRun, model_id: str) -> list[PastWatch]:
    """The finished watches of a version and this one, the newest first, two years of months at
    most."""
    of_version = f"tags.model_id = '{model_id}'"
    found, _ = first_results(SHOWN, run.client.search_runs, [run.experiment_id], of_version)
    return [
        PastWatch(
            datetime.fromtimestamp(one.info.start_time / 1000, UTC),
            one.data.tags["input"],
            one.data.metrics,
        )
        for one in found
        if one.info.status == "FINISHED" or one.info.run_id == run.run_id
    ]
