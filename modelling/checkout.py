"""Where this code is: in a checkout, or in a package that was installed from its wheel."""

from pathlib import Path

CODE = Path(__file__).resolve().parents[1]
IS_CHECKOUT = (CODE / "pyproject.toml").is_file()


def home_folder() -> Path:
    """The folder for what outlasts a process, whatever the current folder is: the checkout, or
    ``~/.finflows``, since an installed package may be replaced at any time."""
    return CODE if IS_CHECKOUT else Path.home() / ".finflows"
