"""A store of many trainings: copies of one real training, in MLflow's own tables."""

import sqlite3
from pathlib import Path

NUMBERS = "WITH RECURSIVE copy(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copy WHERE n < :copies) "
COPIED_ID = "substr({}, 1, 24) || printf('%08x', n)"
BY_RUN = ("runs", "tags", "params", "metrics", "latest_metrics", "inputs")
# What differs between the copies: each began a minute before the one before it, and is a little
# worse.
CHANGED = {
    "run_uuid": COPIED_ID.format("run_uuid"),
    "destination_id": COPIED_ID.format("destination_id"),
    "input_uuid": COPIED_ID.format("input_uuid"),
    "run_id": COPIED_ID.format("run_id"),
    "start_time": "start_time - 60000 * n",
    "end_time": "end_time - 60000 * n",
    "creation_time": "creation_time + n",
    "last_updated_time": "last_updated_time + n",
}
PARENT_TAG = f"CASE key WHEN 'mlflow.parentRunId' THEN {COPIED_ID.format('value')} ELSE value END"
A_LITTLE_WORSE = "CASE WHEN key LIKE 'test!_%' ESCAPE '!' THEN value - n * 1e-6 ELSE value END"

VALUES = {
    "tags": {"value": PARENT_TAG},
    "metrics": {"value": A_LITTLE_WORSE},
    "latest_metrics": {"value": A_LITTLE_WORSE},
}


def grow(database: Path, trainings: int, versions: int) -> None:
    """Copy the one training in ``database``, with the runs nested in it, until there are so many;
    the newest ``versions`` of them are registered. All share the files of the first."""
    with sqlite3.connect(database) as store:
        store.execute("PRAGMA synchronous = OFF")
        for table in BY_RUN:
            only = "destination_type = 'RUN'" if table == "inputs" else "1"
            _copy(store, table, trainings - 1, VALUES.get(table, {}), only)
        for table in ("model_versions", "model_version_tags"):
            # What says who was champion when is of the first alone.
            only = "key NOT LIKE 'champion_at.%'" if table == "model_version_tags" else "1"
            _copy(store, table, versions - 1, {"version": "version + n"}, only)
    store.close()


def _copy(store: sqlite3.Connection, table: str, copies: int, values: dict, only: str) -> None:
    columns = [row[1] for row in store.execute(f"PRAGMA table_info({table})")]
    changed = {**CHANGED, **values}
    if table == "model_versions":
        changed.pop("start_time")
    selected = ", ".join(changed.get(column, column) for column in columns)
    if copies > 0:
        command = f"INSERT INTO {table} {NUMBERS} SELECT {selected} FROM {table}, copy WHERE {only}"
        store.execute(command, {"copies": copies})
