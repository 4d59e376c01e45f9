"""``finflows serve --follow``: a running server answers with whatever version is champion.

A process beside the server asks the registry, which the server's own environment can't, copies a
new champion, and has it loaded once beside the present one, in that environment. If it answers its
example and takes and gives the same columns, its folder is written to the file that the processes
of the server watch. Else that is said, and the present version answers on.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread, main_thread

from mlflow.entities.model_registry import ModelVersion

from modelling.refusals import UsageError
from tasks.registry.champions import champion_of
from tasks.registry.serving.environments import environment_folder, interpreter
from tasks.registry.serving.model_copies import (
    copy_model,
    registration_key,
    release_model,
    remove_unused_models,
    serving_folder,
)
from tasks.registry.serving.prepared_server import (
    IMPORT,
    SERVER,
    PreparedServer,
    requirement_lists,
    server_settings,
    serving_lock,
)
from tasks.tracking.store import connect

POLL_SECONDS = 5
LOOK_SECONDS = 0.5  # whether the server still runs
RETRY_SECONDS = 300  # what stood in the way of a champion may have been the artifact store
TRIAL_SECONDS = 600
TRY = f"{IMPORT}served_model import try_successor; try_successor(*sys.argv[1:])"


def start_following(server: PreparedServer) -> Path:
    """Start the process that follows the champion for the server that this process is about to
    become; the file that it writes."""
    file = serving_folder() / f"followed-{os.getpid()}.json"
    write_followed(file, server.model_folder, {})
    # -P: a folder "tasks" where the server is started is not this program's.
    command = [sys.executable, "-P", "-m", "tasks.registry.serving.following"]
    command += [server.registered.name, server.version, str(server.model_folder)]
    command += [str(server.python), str(file), str(os.getpid())]
    # In a session of its own: Ctrl-C goes to the server only, whose end is the end of this, too.
    subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    return file


def write_followed(file: Path, model_folder: Path, refused: dict[str, float]) -> None:
    """Say, whole or not at all, which model is to answer, that this was looked up now, and when
    which versions were refused."""
    facts = {"model_folder": str(model_folder), "checked": time.time(), "refused": refused}
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(facts))
    os.replace(partial, file)


class Follower:
    """What is known of the server with the number ``server``, and of the champion."""

    def __init__(
        self, name: str, version: str, folder: Path, python: Path, file: Path, server: int
    ):
        self.name, self.version, self.folder = name, version, folder
        self.python, self.file, self.server = python, file, server
        self.before: Path | None = None  # a process of the server may still be reading it
        self.refused: dict[str, float] = {}  # when, by version
        self.try_again: dict[str, float] = {}  # not before, by key of the registration
        self.said = ""

    def look(self) -> None:
        """Ask once who is champion. What prevents that, a registry that is away or a full disk, is
        said, and may be gone the next time."""
        try:
            champion = champion_of(connect(), self.name)
        except Exception as error:
            self._say(f"the registry does not say who is champion ({type(error).__name__})")
            return
        try:
            self._follow(champion)
        except Exception as error:
            self._say(f"the champion can't be followed ({type(error).__name__})")

    def _follow(self, champion: ModelVersion | None) -> None:
        key = registration_key(champion) if champion else self.folder.name
        if champion and key != self.folder.name and time.monotonic() >= self.try_again.get(key, 0):
            self._try(champion, key)
        write_followed(self.file, self.folder, self.refused)
        if champion is None:
            self._say("there is no champion any more")
        elif key == self.folder.name:
            self.said = ""

    def _try(self, champion: ModelVersion, key: str) -> None:
        version = str(champion.version)
        try:
            folder = self._successor(champion)
        except Exception as error:
            self.refused[version] = time.time()
            self.try_again[key] = time.monotonic() + RETRY_SECONDS
            why = str(error) if isinstance(error, UsageError) else type(error).__name__
            self._say(f"version {version} is champion, but can't take over: {why}")
            return
        earlier, self.before, self.folder = self.before, self.folder, folder
        self.version = version
        _print(f"{self.name} version {version} is champion, and takes over")
        write_followed(self.file, self.folder, self.refused)
        if earlier is not None:
            self._release(earlier)

    def _successor(self, champion: ModelVersion) -> Path:
        """The copy of a champion that can take over. Raises UsageError where it can't."""
        with serving_lock():
            folder = copy_model(champion, self.server)
            needed = interpreter(environment_folder(serving_folder(), *requirement_lists(folder)))
        try:
            if needed != self.python:
                raise UsageError("it needs other packages: start finflows serve again")
            self._try_it(folder)
        except Exception:
            self._release(folder)
            raise
        return folder

    def _release(self, folder: Path) -> None:
        """Remove this copy, unless this server or another one reads it."""
        if folder not in (self.folder, self.before):
            release_model(folder, self.server)
            with serving_lock():
                remove_unused_models()

    def _try_it(self, folder: Path) -> None:
        command = [str(self.python), "-P", "-B", "-c", TRY, str(SERVER.parent)]
        try:  # a trial that takes too long is killed, and so it is when this process ends
            trial = subprocess.run(
                [*command, str(self.folder), str(folder)],
                env=server_settings(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                timeout=TRIAL_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise UsageError(f"loading it took more than {TRIAL_SECONDS} seconds") from None
        if trial.returncode:
            known = trial.returncode == 3 and trial.stderr.strip()
            raise UsageError(known or f"loading it ended with code {trial.returncode}")

    def _say(self, what: str) -> None:
        """Once, until something else is to be said."""
        if what != self.said:
            self.said = what
            _print(f"{self.name}: {what}; version {self.version} answers on")


def _print(line: str) -> None:
    print(f"finflows: {line}", file=sys.stderr, flush=True)


def end_with(server: int) -> None:
    """Have this process end when the ``server``, which started it, has ended, whatever it waits for
    then: a registry that does not answer is asked again for minutes."""

    def watch() -> None:
        while os.getppid() == server:
            time.sleep(LOOK_SECONDS)
        signal.pthread_kill(main_thread().ident or 0, signal.SIGTERM)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    Thread(target=watch, daemon=True).start()


def main(name: str, version: str, folder: str, python: str, file: str, server: str) -> None:
    """Follow until the server, which started this process, has ended."""
    follower = Follower(name, version, Path(folder), Path(python), Path(file), int(server))
    try:
        end_with(int(server))
        while True:
            follower.look()
            time.sleep(POLL_SECONDS)
    finally:
        follower.file.unlink(missing_ok=True)
        with serving_lock():
            remove_unused_models()


if __name__ == "__main__":
    main(*sys.argv[1:])
