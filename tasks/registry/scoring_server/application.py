"""What is answered over HTTP: the protocol of MLflow's scoring server, and metrics for Prometheus.

MLflow's own server spends 8 of 9 ms of a request on threads, layers and frames. Here a single row
stays a dictionary and is answered where it arrives; more rows are answered in a thread, so that
they hold up nobody. Errors are MLflow's, but quote neither rows nor a traceback.
"""

import asyncio
import hmac
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from traceback import walk_tb
from typing import NamedTuple

from mlflow.version import VERSION
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from .metrics import Metrics
from .served_model import ServedModel
from .tables import READERS, RequestRefused, Table, reasons_in

JSON_TYPE = "application/json"
SCORES = "/invocations"
OPEN_PATHS = ("/ping", "/health")  # a supervisor asks them, and has no token


class Limits(NamedTuple):
    """What a request may cost at most."""

    megabytes: int = 16
    rows: int = 50_000
    read_seconds: float = 60
    answer_seconds: float = 60


class Application:
    """An ASGI application over one model, which may be exchanged while it serves (``take``);
    ``files_sha256`` names the files of one that is not exchanged.

    Where there is a ``token``, whoever does not send it as ``Authorization: Bearer`` is answered
    with 401.
    """

    def __init__(
        self, model: ServedModel, limits: Limits, token: str | None = None, files_sha256: str = ""
    ):
        self.files_sha256 = files_sha256
        self.model, self.limits, self.metrics = model, limits, Metrics()
        self.metrics.answers_with(model.version)
        self.token = token.encode() if token else None
        paths: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "/ping": _ping,
            "/health": _ping,
            "/version": self._version,
            "/metrics": self._metrics,
        }
        # Of /invocations the pages say only that it takes POST, without a slash behind it.
        routes = [Route(path, page) for path, page in paths.items()]
        self.pages = Starlette(routes=[*routes, Route(SCORES, _ping, methods=["POST"])])

    def take(self, model: ServedModel) -> None:
        """Answer with ``model`` from now on; what is being answered keeps the one that it has."""
        before, self.model = self.model, model
        self.metrics.answers_with(model.version, before.version)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        if {b"content-length", b"transfer-encoding"} <= headers.keys():
            await _two_lengths()(scope, receive, send)
        elif not self._may_enter(scope["path"], headers.get(b"authorization", b"")):
            refusal = _error(401, "UNAUTHENTICATED", "send the header Authorization: Bearer TOKEN")
            refusal.headers["WWW-Authenticate"] = "Bearer"
            self.metrics.refuse_login()
            await refusal(scope, receive, send)
        elif scope["path"] != SCORES or scope["method"] != "POST":
            await self.pages(scope, receive, send)
        else:
            start = time.perf_counter()
            response = await self._invocations(headers, receive)
            self.metrics.observe(response.status_code, time.perf_counter() - start)
            await response(scope, receive, send)

    def _may_enter(self, path: str, authorization: bytes) -> bool:
        if self.token is None or path in OPEN_PATHS:
            return True
        scheme, _, sent = authorization.partition(b" ")  # RFC 9110: capitals make no difference
        return scheme.lower() == b"bearer" and hmac.compare_digest(sent.strip(), self.token)

    async def _invocations(self, headers: dict[bytes, bytes], receive: Receive) -> Response:
        try:
            async with asyncio.timeout(self.limits.read_seconds):
                body = await self._body(receive)
            _refuse_encoding(headers.get(b"content-encoding", b""))
            content_type = headers.get(b"content-type", b"").decode("latin-1").lower()
            return await self._answer(body, content_type)
        except RequestRefused as error:
            return _error(error.status, error.code, str(error))
        except TimeoutError:
            seconds = f"{self.limits.read_seconds:g} s"
            return _error(408, "BAD_REQUEST", f"the request took longer than {seconds} to arrive")
        except Exception as error:  # its traceback would quote cells in the log
            print(f"{SCORES}: {type(error).__name__} at {_place(error)}", file=sys.stderr)
            return _error(500, "INTERNAL_ERROR", "a fault of the server: its log says where")

    async def _body(self, receive: Receive) -> bytes:
        """The body. One that is too large is read to its end, but not kept: a client that is still
        sending does not receive the response. Raises RequestRefused for that, and for a part of a
        body, whose rows nobody waits for."""
        parts: list[bytes] = []
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise RequestRefused(400, "the connection was closed before the end of the request")
            part = message.get("body", b"")
            more, size = message.get("more_body", False), size + len(part)
            if size > self.limits.megabytes << 20:
                parts.clear()
            else:
                parts.append(part)
        if size > self.limits.megabytes << 20:
            raise RequestRefused(413, f"more than {self.limits.megabytes} MB: send fewer rows")
        return b"".join(parts)

    async def _answer(self, body: bytes, content_type: str) -> Response:
        """In this thread where it is one row, without reasons."""
        model = self.model  # the same for all of this request
        if (refusal := _refused_type(content_type, model.takes_csv)) is not None:
            return refusal
        read = READERS[content_type.partition(";")[0].strip()]
        if len(body) < SHORT:
            table, params = read(body)
            if len(table.rows) == 1 and not params:
                return self._scored(model, table, params)
            work = asyncio.to_thread(self._scored_in_thread, model, table, params)
        else:
            work = asyncio.to_thread(lambda: self._scored_in_thread(model, *read(body)))
        try:
            return await asyncio.wait_for(work, self.limits.answer_seconds)
        except TimeoutError:
            return _error(504, "BAD_REQUEST", "scoring took too long: send fewer rows")

    def _scored_in_thread(self, model: ServedModel, table: Table, params: object) -> Response:
        """Nothing ends a thread: it is counted for as long as it works."""
        with self.metrics.in_progress.track_inprogress():
            return self._scored(model, table, params)

    def _scored(self, model: ServedModel, table: Table, params: object) -> Response:
        table.refuse_size(self.limits.rows)
        answers = model.answers(table.raw_rows(), reasons_in(params, model.gives_reasons))
        self.metrics.count(model.version, answers)
        body = json.dumps({"predictions": answers}, allow_nan=False)
        return Response(body, headers={"Model-Version": model.version}, media_type=JSON_TYPE)

    async def _version(self, _: Request) -> Response:
        """MLflow's version; what answers is in the headers."""
        files = {"Model-Files-SHA256": self.files_sha256} if self.files_sha256 else {}
        headers = {"Model-Version": self.model.version, **files}
        return Response(VERSION, headers=headers, media_type=JSON_TYPE)

    async def _metrics(self, _: Request) -> Response:
        content, media_type = self.metrics.page()
        return Response(content, headers={"Content-Type": media_type})


SHORT = 65_536  # bytes that are read in no time


def _refused_type(content_type: str, takes_csv: bool) -> Response | None:
    """The response to content that is neither JSON nor, where the model ``takes_csv``, CSV in
    UTF-8; ``content_type`` in small letters, since capitals make no difference (RFC 9110)."""
    named, *parameters = (part.strip() for part in content_type.split(";"))
    values = dict(parameter.partition("=")[::2] for parameter in parameters)
    if values.get("charset", "utf-8").strip('"') not in ("utf-8", "utf8"):
        return PlainTextResponse("The scoring server only supports UTF-8", 415)
    if values.keys() - {"charset"}:
        return PlainTextResponse("Unrecognized content type parameters: send charset only", 415)
    if named == "text/csv" and not takes_csv:
        return PlainTextResponse("The files of this model have no decimal point: send JSON", 415)
    if named in READERS:
        return None
    types = ", ".join(READERS)
    return PlainTextResponse(
        f"This predictor only supports the following content types: Types: {types}.", 415
    )


def _refuse_encoding(encoding: bytes) -> None:
    """Of what is compressed the size is known only afterwards."""
    if encoding.strip().lower() not in (b"", b"identity"):
        raise RequestRefused(415, "no Content-Encoding is read: send the body uncompressed")


def _two_lengths() -> Response:
    """A proxy in front may end such a request elsewhere, and take what follows for the next one, of
    somebody else (RFC 9112, 6.3): so it is refused, and nothing more is read of the connection."""
    refusal = _error(400, "BAD_REQUEST", "send Content-Length or Transfer-Encoding, not both")
    refusal.headers["Connection"] = "close"
    return refusal


def _error(status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse({"error_code": code, "message": message}, status)


def _place(error: Exception) -> str:
    """The line of the server or the model where ``error`` arose; what it says may hold cells."""
    *_, (frame, line) = walk_tb(error.__traceback__)
    return f"{Path(frame.f_code.co_filename).name}:{line}"


async def _ping(_: Request) -> Response:
    return Response("\n", media_type=JSON_TYPE)
