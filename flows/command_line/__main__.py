"""Where ``finflows`` starts: signals are watched first, since all other imports take a while."""

from flows.command_line import interruption


def main() -> None:
    """The command line, interrupted in good order even while it is still being imported."""
    interruption.watch()
    try:
        from flows.command_line.commands import main as run
    except BaseException:
        interruption.exit_if_interrupted()
        raise
    run()


if __name__ == "__main__":
    main()
