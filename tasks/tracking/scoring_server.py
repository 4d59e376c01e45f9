"""MLflow's own scoring server over one model: python scoring_server.py MODEL_FOLDER PORT.

It runs in the model's small environment, so it imports nothing of this project. MLflow's error
answers quote the rows that came in and Python's traceback; here they say what is wrong, and with
which column, and nothing else.
"""

import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from mlflow.pyfunc import load_model
from mlflow.pyfunc.scoring_server import init
from starlette.responses import JSONResponse, Response

UNREADABLE = (
    "the rows can't be read: send application/json with one of dataframe_records, "
    "dataframe_split, inputs or instances"
)
OURS = "input contract: "


def clear_refusal(status: int, body: bytes) -> JSONResponse:
    """The answer to a request that failed: a status from 400 on, and one line."""
    try:
        said = json.loads(body)["message"]
    except (ValueError, KeyError, TypeError):
        said = ""
    message = said if said.startswith(OURS) else UNREADABLE
    return JSONResponse({"message": message}, status if 400 <= status < 500 else 400)


def application(model_folder: str) -> FastAPI:
    """MLflow's application, with error answers that quote nothing."""
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

    return app


if __name__ == "__main__":
    uvicorn.run(
        application(sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]), log_level="error"
    )
