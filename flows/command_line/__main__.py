"""The entry point of ``finflows``: it handles signals first, since the other imports take long."""

from flows.command_line import interruption
from tasks.workers.quick_imports import quick_imports


def main() -> None:
    """Run the command line; an interruption during the imports also ends it properly."""
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
