"""The entry point of ``finflows``: it handles signals first, since the other imports take long."""

import os
import sys
from pathlib import Path
from traceback import extract_tb

from flows.command_line import interruption
from tasks.workers.quick_imports import quick_imports


def restart_in_utf8() -> None:
    """Start anew in UTF-8 where the environment (LANG=C with PYTHONUTF8=0) allows ASCII only: the
    libraries, and the processes that are started, could not name a folder called Köln."""
    if sys.getfilesystemencoding() == "ascii" and os.environ.get("PYTHONUTF8") != "1":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, sys.orig_argv)


def exit_for_other_packages(error: ImportError) -> None:
    """End with one line where PYTHONPATH, which many machines set for other programs, leads to
    packages that this Python can't import."""
    failed = Path(extract_tb(error.__traceback__)[-1].filename)
    folders = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    named = next((folder for folder in folders if failed.is_relative_to(folder)), None)
    if named and not failed.is_relative_to(Path(__file__).parents[2]):
        print(
            f"finflows: {failed} can't be imported: PYTHONPATH names {named}, with packages for "
            "another Python; take it out of PYTHONPATH",
            file=sys.stderr,
        )
        sys.exit(2)


def main() -> None:
    """Run the command line; an interruption during the imports also ends it properly."""
    restart_in_utf8()
    interruption.watch()
    try:
        with quick_imports():
            from flows.command_line.commands import main as run
    except ImportError as error:
        exit_for_other_packages(error)
        raise
    except BaseException:
        interruption.exit_if_interrupted()
        raise
    run()


if __name__ == "__main__":
    main()
