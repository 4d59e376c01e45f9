"""``python -m finflows``, and the program ``finflows``."""

from flows.command_line.__main__ import main

if __name__ == "__main__":
    main()
