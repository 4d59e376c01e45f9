"""Check a port of this machine before a server uses it."""

import errno
import socket

from modelling.refusals import UsageError


def refuse_taken_port(port: int) -> None:
    """Raise UsageError where a server could not listen on 127.0.0.1 at ``port``."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            why = "is taken" if error.errno == errno.EADDRINUSE else "can't be used"
            raise UsageError(f"port {port} {why}: choose another with --port") from None
