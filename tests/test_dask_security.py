"""Whoever reaches a Dask scheduler can run code in its workers: only our own processes do."""

import os
import socket
import ssl
from urllib.request import urlopen

import dask
import psutil
import pytest

from modelling.refusals import UsageError
from tasks.workers.dask_cluster import dask_client

IN_FILES = {
    "tls_ca_file": "ca-file",
    "tls_client_cert": "client.cert",
    "tls_client_key": "client.key",
}


def listening(pid=None):
    """The ports on which this process and its children listen."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    found = [one for process in family for one in process.net_connections("tcp")]
    return {one.laddr.port for one in found if one.status == psutil.CONN_LISTEN}


def is_let_in(port):
    """Whether a server answers somebody who speaks TLS and has no certificate of his own."""
    anybody = ssl.create_default_context()
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=2) as connection,
            anybody.wrap_socket(connection) as secure,
        ):
            return bool(secure.recv(1))
    except OSError:
        return False


@pytest.mark.services
def test_a_local_cluster_obeys_its_own_client_only(tmp_path):
    from distributed import Client
    from distributed.security import Security

    before = listening()
    with dask_client(2, "local") as client:
        assert client.submit(sum, [1, 2]).result() == 3
        address = client.scheduler.address
        assert address.startswith("tls://127.0.0.1:")
        ports = listening() - before
        assert int(address.rpartition(":")[2]) in ports
        for port in ports:
            assert not is_let_in(port)
            with pytest.raises(OSError, match=r"404|reset|aborted|closed"):
                urlopen(f"http://127.0.0.1:{port}/info/main/workers.html", timeout=30)
        for stranger in (Security(), Security.temporary()):
            scheme = "tls" if stranger.require_encryption else "tcp"
            with pytest.raises(OSError, match=r"reset|certificate does not match"):
                Client(address.replace("tls", scheme), security=stranger, timeout=3)
        with pytest.raises(UsageError, match="which certificates"), dask_client(1, address):
            pass
        with (
            dask.config.set(written_certificates(client.security, tmp_path)),
            dask_client(1, address) as known,
        ):
            assert known.submit(os.getpid).result() != os.getpid()


def written_certificates(security, folder):
    """Dask's configuration with the certificates of a client in files, as a team has them."""
    settings = {}
    for name, setting in IN_FILES.items():
        file = folder / name
        file.write_text(getattr(security, name))
        settings[f"distributed.comm.tls.{setting}"] = str(file)
    return settings


def test_certificates_that_are_not_there_are_named():
    absent = {f"distributed.comm.tls.{name}": "/nowhere.pem" for name in IN_FILES.values()}
    with (
        dask.config.set(absent),
        pytest.raises(UsageError, match="certificates can't be read: No such file"),
        dask_client(1, "tls://127.0.0.1:9"),
    ):
        pass
