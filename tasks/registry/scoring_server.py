"""MLflow's own scoring server over one model: python scoring_server.py MODEL_FOLDER PORT.

It runs in the model's small environment, so it imports nothing of this project. MLflow's error
responses quote the rows of the request and a traceback; here they only say what is wrong, and in
which column. A request that is too large, or not valid JSON, is refused before MLflow reads it.
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

TABLE_FORMATS = ("dataframe_records", "dataframe_split", "inputs", "instances")
CANT_READ = "the rows can't be read: "
UNREADABLE = (
    f"{CANT_READ}send application/json with one of dataframe_records, dataframe_split, inputs or "
    "instances"
)
CONTRACT_PREFIX = "input contract: "
MAXIMUM_CELLS = 10_000_000  # in rows with different columns, each row counts with all columns
MAXIMUM_LEVELS = 4  # nested lists and objects: dataframe_split has that many
READ_SECONDS = 60
CONNECTIONS = 100
# Matches numbers too large for a float, and integers that Python refuses to read.
HUGE_NUMBER = re.compile(rb"[0-9]{300}|[eE]\+?[0-9]{3}")


class RequestRefused(Exception):
    """The request is not passed on to MLflow."""

    def __init__(self, status: int, message: str = UNREADABLE):
        super().__init__(message)
        self.status = status


class Limits:
    """Refuses requests that are not JSON, and bodies and tables that are too large."""

    def __init__(self, app: ASGIApp, megabytes: int, rows: int, gives_reasons: bool):
        self.app, self.megabytes, self.rows = app, megabytes, rows
        self.gives_reasons = gives_reasons

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/invocations" or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(READ_SECONDS):
                body = await self._read(scope, receive)
            body = await asyncio.to_thread(check_body, body, self.rows, self.gives_reasons)
        except RequestRefused as error:
            await JSONResponse({"message": str(error)}, error.status)(scope, receive, send)
        except TimeoutError:
            message = f"the request took longer than {READ_SECONDS} s to arrive"
            await JSONResponse({"message": message}, 408)(scope, receive, send)
        else:
            await self.app(scope, _replay(body, receive), send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes:
        """The body. One that is too large is read to its end, but not kept: a client that is still
        sending does not receive the response."""
        content, size = bytearray(), 0
        more = True
        while more:
            message = await receive()
            part = message.get("body", b"")
            more, size = message.get("more_body", False), size + len(part)
            if size <= self.megabytes << 20:
                content += part
        if size > self.megabytes << 20:
            raise RequestRefused(413, f"more than {self.megabytes} MB at once: send fewer rows")
        named = dict(scope["headers"]).get(b"content-type", b"").partition(b";")[0]
        if named.strip().lower() != b"application/json":
            raise RequestRefused(415)
        return bytes(content)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Lets MLflow receive a body that was read before."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_body() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_body


def check_body(body: bytes, maximum_rows: int, gives_reasons: bool = True) -> bytes:
    """The body, if it is JSON with a table of at most ``maximum_rows`` rows, and asks for reasons
    only where the model ``gives_reasons``; else raises RequestRefused.

    A number too large for a float is replaced by its text, so that the contract refuses its row
    only.
    """
    has_huge_number = HUGE_NUMBER.search(body) is not None
    hooks: dict[str, Any] = {"parse_float": _float, "parse_int": _int} if has_huge_number else {}
    try:
        given = json.loads(body, parse_constant=_refuse_constant, **hooks)
        too_deep = _is_deeper(given, MAXIMUM_LEVELS)
    except RecursionError:
        too_deep = True
    except ValueError:
        raise RequestRefused(400) from None
    if too_deep:
        raise RequestRefused(400, f"{CANT_READ}lists and objects are nested too deeply")
    table = _table_in(given)
    _check_params(given.get("params"), gives_reasons)
    rows, columns = _size(table)
    if rows > maximum_rows:
        raise RequestRefused(413, f"more than {maximum_rows:,} rows at once: send fewer rows")
    if rows * columns > MAXIMUM_CELLS:
        raise RequestRefused(413, f"more than {MAXIMUM_CELLS:,} cells at once: send fewer rows")
    return body if table is given and not has_huge_number else json.dumps(table).encode()


def _check_params(params: object, gives_reasons: bool) -> None:
    """Raises RequestRefused for parameters that MLflow would quote, or ignore in silence."""
    if params is None:
        return
    reasons = params.get("reasons") if isinstance(params, dict) and len(params) == 1 else None
    if not isinstance(reasons, int) or isinstance(reasons, bool) or not 0 <= reasons <= 1000:
        raise RequestRefused(400, 'params: send {"reasons": 4}, a whole number up to 1000')
    if not gives_reasons:
        message = "this model was registered before models gave reasons: train again"
        raise RequestRefused(400, f"params: {message}")


def _refuse_constant(name: str) -> None:
    raise RequestRefused(400, f"{CANT_READ}{name} is not JSON, send null for a missing number")


def _float(text: str) -> float | str:
    return number if math.isfinite(number := float(text)) else text


def _int(text: str) -> int | str:
    return int(text) if len(text) < 300 else text


def _is_deeper(given: object, levels: int) -> bool:
    if not isinstance(given, dict | list):
        return False
    inside = given.values() if isinstance(given, dict) else given
    return levels == 0 or any(_is_deeper(value, levels - 1) for value in inside)


def _table_in(given: Any) -> dict[str, Any]:
    """The table of a request, in a form of which MLflow makes a frame. Raises RequestRefused where
    there is none, or more than one.

    MLflow would make arrays of ``inputs`` and ``instances``, in which true among numbers is 1.
    """
    formats = [form for form in TABLE_FORMATS if form in given] if isinstance(given, dict) else []
    if len(formats) != 1:
        raise RequestRefused(400)
    table = given[formats[0]]
    if formats[0].startswith("dataframe"):
        return given
    params = {"params": given["params"]} if given.get("params") else {}
    if not isinstance(table, dict):
        return {"dataframe_records": table, **params}
    if not any(isinstance(cells, list) for cells in table.values()):
        return {"dataframe_records": [table], **params}
    try:
        rows = list(zip(*table.values(), strict=True))
    except (TypeError, ValueError):  # a column is no list, or shorter than the others
        raise RequestRefused(400) from None
    return {"dataframe_split": {"columns": list(table), "data": rows}, **params}


def _size(given: dict[str, Any]) -> tuple[int, int]:
    """The number of rows and columns of a table. Raises RequestRefused where it is no table."""
    split = given.get("dataframe_split")
    table = split.get("data") if isinstance(split, dict) else given.get("dataframe_records")
    if not isinstance(table, list):
        raise RequestRefused(400)
    names = {name for row in table if isinstance(row, dict) for name in row}
    widths = [len(row) for row in table if isinstance(row, list | tuple)]
    return len(table), max([len(names), *widths])


def error_response(status: int, body: bytes) -> JSONResponse:
    """The response to a request that failed: a status of 400 or more, and one line."""
    try:
        said = json.loads(body)["message"]
    except (ValueError, KeyError, TypeError):
        said = ""
    message = said if said.startswith(CONTRACT_PREFIX) else UNREADABLE
    return JSONResponse({"message": message}, status if 400 <= status < 500 else 400)


def application(model_folder: str) -> FastAPI:
    """MLflow's application with limits, and with error responses that quote no data."""
    model = load_model(model_folder)
    app: FastAPI = init(model)
    signature = model.metadata.signature

    @app.middleware("http")
    async def hide_details(
        request: Request, call_next: Callable[[Request], Awaitable[Any]]
    ) -> Response:
        try:
            response = await call_next(request)
        except Exception as error:  # its traceback would quote cells in the log
            print(f"{request.url.path}: {type(error).__name__}", file=sys.stderr)
            return error_response(400, b"")
        if request.url.path != "/invocations" or response.status_code < 400:
            return response
        body = b"".join([part async for part in response.body_iterator])
        if response.status_code == 504:
            return JSONResponse({"message": "scoring took too long: send fewer rows"}, 504)
        return error_response(response.status_code, body)

    # The middleware that is added last runs first.
    app.add_middleware(
        Limits,
        megabytes=_limit("FINFLOWS_SERVE_MEGABYTES", 16),
        rows=_limit("FINFLOWS_SERVE_ROWS", 50_000),
        gives_reasons=signature is not None and signature.params is not None,
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
