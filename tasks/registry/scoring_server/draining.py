"""How a connection ends when the server is asked to end: with an answer, not between two requests.

uvicorn closes connections that wait for their next request at once. Where that request is on its
way, its client is told that the connection was reset, and no client library sends a POST again by
itself: each busy client would lose one request.
"""

from uvicorn.protocols.http.h11_impl import H11Protocol

DRAIN_SECONDS = 1.0  # how long a connection that sends nothing stays open
CLOSE = (b"connection", b"close")


class DrainingProtocol(H11Protocol):
    """From the moment on when the server is asked to end, each answer says ``Connection: close``,
    and a connection that waits for a request waits a little longer."""

    def shutdown(self) -> None:
        answers = self.server_state.default_headers  # those of all connections, also of new ones
        if CLOSE not in answers:
            answers.append(CLOSE)
        self.loop.call_later(DRAIN_SECONDS, self._close_if_idle)

    def _close_if_idle(self) -> None:
        if not self.transport.is_closing():
            super().shutdown()
