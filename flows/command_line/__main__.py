"""The entry point of ``finflows``: it handles signals first, since the other imports take long."""

import os
import sys

from flows.command_line import interruption
from tasks.workers.quick_imports import quick_imports


def restart_in_utf8() -> None:
    """Start anew in UTF-8 where the environment (LANG=C with PYTHONUTF8=0) allows ASCII only: the
    libraries, and the processes that are started, could not name a folder called Köln."""
    if sys.getfilesystemencoding() == "ascii" and os.environ.get("PYTHONUTF8") != "1":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, sys.orig_argv)


def main() -> None:
    """Run the command line; an interruption during the imports also ends it properly."""
    restart_in_utf8()
    interruption.watch()
    try:
        with quick_imports():
            from flows.command_line.commands import main as run
    except BaseException:
        interruption.exit_if_interrupted()
        raise
    run()


if __name__ == "__main__":
    main()
