"""MLflow's own scoring server over one model: python scoring_server.py MODEL_FOLDER PORT.

It runs in the model's small environment, so it imports nothing of this project. MLflow's error
answers quote the rows that came in and Python's traceback; here they say what is wrong, and with
which column, and nothing else. What is too large, or JSON in name only, is refused before MLflow
reads it.
"""

import asyncio
import json
import math
import os
import re
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from mlflow.pyfunc import load_model
from mlflow.pyfunc.scoring_server import init
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FORMS = ("dataframe_records", "dataframe_split", "inputs", "instances")
CANT = "the rows can't be read: "
UNREADABLE = f"{CANT}send application/json with one of {', '.join(FORMS[:3])} or {FORMS[3]}"
OURS = "input contract: "
MOST_CELLS = 10_000_000  # rows of different columns make a table with all columns in each row
MOST_LEVELS = 4  # lists and objects in one another: dataframe_split has that many
READ_SECONDS = 60
CONNECTIONS = 100
# Numbers that no float holds, and integers that Python refuses to read, look like this.
PERHAPS_ABSURD = re.compile(rb"[0-9]{300}|[eE]\+?[0-9]{3}")


class RequestRefused(Exception):
    """This request is not passed on to MLflow."""

    def __init__(self, status: int, message: str = UNREADABLE):
        super().__init__(message)
        self.status = status


class Limits:
    """Refuses what is no JSON, and bodies and tables that are too large."""

    def __init__(self, app: ASGIApp, megabytes: int, rows: int):
        self.app, self.megabytes, self.rows = app, megabytes, rows

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/invocations" or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(READ_SECONDS):
                body = await self._read(scope, receive)
            body = await asyncio.to_thread(checked, body, self.rows)
        except RequestRefused as error:
            await JSONResponse({"message": str(error)}, error.status)(scope, receive, send)
        except TimeoutError:
            await JSONResponse({"message": "the rows took too long"}, 408)(scope, receive, send)
        else:
            await self.app(scope, _once(body, receive), send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes:
        """The body. One that is too large is read to its end, but not kept: a client that still
        sends hears no answer."""
        kept, size = bytearray(), 0
        more = True
        while more:
            message = await receive()
            part = message.get("body", b"")
            more, size = message.get("more_body", False), size + len(part)
            if size <= self.megabytes << 20:
                kept += part
        if size > self.megabytes << 20:
            raise RequestRefused(413, f"more than {self.megabytes} MB at once: send fewer rows")
        named = dict(scope["headers"]).get(b"content-type", b"").partition(b";")[0]
        if named.strip().lower() != b"application/json":
            raise RequestRefused(415)
        return bytes(kept)


def _once(body: bytes, receive: Receive) -> Receive:
    """What MLflow receives in the place of a body that was read already."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


def checked(body: bytes, most_rows: int) -> bytes:
    """A body that is JSON with a table of at most so many rows. Raises RequestRefused.

    A number that no float can hold becomes its text, which the contract refuses, with its row only.
    """
    absurd = PERHAPS_ABSURD.search(body) is not None
    hooks: dict[str, Any] = {"parse_float": _float, "parse_int": _int} if absurd else {}
    try:
        given = json.loads(body, parse_constant=_refuse_constant, **hooks)
        too_deep = _is_deeper(given, MOST_LEVELS)
    except RecursionError:
        too_deep = True
    except ValueError:
        raise RequestRefused(400) from None
    if too_deep:
        raise RequestRefused(400, f"{CANT}lists and objects lie too deep in one another")
    table = _framed(given)
    rows, columns = _size(table)
    if rows > most_rows:
        raise RequestRefused(413, f"more than {most_rows:,} rows at once: send fewer rows")
    if rows * columns > MOST_CELLS:
        raise RequestRefused(413, f"more than {MOST_CELLS:,} cells at once: send fewer rows")
    return body if table is given and not absurd else json.dumps(table).encode()


def _refuse_constant(name: str) -> None:
    raise RequestRefused(400, f"{CANT}{name} is no JSON, send null for a missing number")


def _float(text: str) -> float | str:
    return number if math.isfinite(number := float(text)) else text


def _int(text: str) -> int | str:
    return int(text) if len(text) < 300 else text


def _is_deeper(given: object, levels: int) -> bool:
    if not isinstance(given, dict | list):
        return False
    inside = given.values() if isinstance(given, dict) else given
    return levels == 0 or any(_is_deeper(one, levels - 1) for one in inside)


def _framed(given: Any) -> dict[str, Any]:
    """The one table in a request, as MLflow makes a frame of it. Raises RequestRefused.

    Of ``inputs`` and ``instances`` MLflow makes arrays, in which true beside numbers is 1.
    """
    forms = [form for form in FORMS if form in given] if isinstance(given, dict) else []
    if len(forms) != 1:
        raise RequestRefused(400)
    table = given[forms[0]]
    if forms[0].startswith("dataframe"):
        return given
    if not isinstance(table, dict):
        return {"dataframe_records": table}
    if not any(isinstance(cells, list) for cells in table.values()):
        return {"dataframe_records": [table]}
    try:
        rows = list(zip(*table.values(), strict=True))
    except (TypeError, ValueError):  # a column is none, or shorter than the others
        raise RequestRefused(400) from None
    return {"dataframe_split": {"columns": list(table), "data": rows}}


def _size(given: dict[str, Any]) -> tuple[int, int]:
    """Rows and columns of a table. Raises RequestRefused where it is none."""
    split = given.get("dataframe_split")
    table = split.get("data") if isinstance(split, dict) else given.get("dataframe_records")
    if not isinstance(table, list):
        raise RequestRefused(400)
    names = {name for row in table if isinstance(row, dict) for name in row}
    widths = [len(row) for row in table if isinstance(row, list | tuple)]
    return len(table), max([len(names), *widths])


def clear_refusal(status: int, body: bytes) -> JSONResponse:
    """The answer to a request that failed: a status from 400 on, and one line."""
    try:
        said = json.loads(body)["message"]
    except (ValueError, KeyError, TypeError):
        said = ""
    message = said if said.startswith(OURS) else UNREADABLE
    return JSONResponse({"message": message}, status if 400 <= status < 500 else 400)


def application(model_folder: str) -> FastAPI:
    """MLflow's application, with limits, and with error answers that quote nothing."""
    app: FastAPI = init(load_model(model_folder))

    @app.middleware("http")
    async def speak_plainly(
        request: Request, call_next: Callable[[Request], Awaitable[Any]]
    ) -> Response:
        try:
            response = await call_next(request)
        except Exception as error:  # its traceback would quote cells in the log
            print(f"{request.url.path}: {type(error).__name__}", file=sys.stderr)
            return clear_refusal(400, b"")
        if request.url.path != "/invocations" or response.status_code < 400:
            return response
        body = b"".join([part async for part in response.body_iterator])
        if response.status_code == 504:
            return JSONResponse({"message": "scoring took too long: send fewer rows"}, 504)
        return clear_refusal(response.status_code, body)

    # The last to be added is the first to be asked.
    app.add_middleware(
        Limits,
        megabytes=_limit("FINFLOWS_SERVE_MEGABYTES", 16),
        rows=_limit("FINFLOWS_SERVE_ROWS", 50_000),
    )
    return app


def _limit(setting: str, default: int) -> int:
    written = os.environ.get(setting, str(default))
    if not re.fullmatch("[1-9][0-9]{0,8}", written):
        raise SystemExit(f"{setting} must be a whole number above 0")
    return int(written)


if __name__ == "__main__":
    uvicorn.run(
        application(sys.argv[1]),
        host="127.0.0.1",
        port=int(sys.argv[2]),
        log_level="error",
        limit_concurrency=CONNECTIONS,
    )
