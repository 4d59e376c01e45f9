"""The pictures of a stored run."""

from pathlib import Path
from tempfile import TemporaryDirectory

from tasks.tracking.record import LEARNING_CURVE_PNG
from tasks.tracking.resuming import get_run
from tasks.tracking.store import connect


def pictures_of(run_id: str) -> dict[str, bytes]:
    """The PNG files of a run by name without ending, the learning curve first."""
    client = connect()
    get_run(client, run_id)  # in a notebook, the store may be another one by now
    found = [file.path for file in client.list_artifacts(run_id, "judgement")]
    paths = [LEARNING_CURVE_PNG, *(path for path in found if path.endswith(".png"))]
    with TemporaryDirectory(prefix="finflows-pictures-") as folder:
        return {
            Path(path).stem: Path(client.download_artifacts(run_id, path, folder)).read_bytes()
            for path in paths
        }
