"""Where this code is, in a checkout or in a package that was installed from its wheel, and what a
person types to run it there."""

import shlex
import shutil
import sys
from pathlib import Path

CODE = Path(__file__).resolve().parents[1]
IS_CHECKOUT = (CODE / "pyproject.toml").is_file()
PROGRAM = "finflows"


def home_folder() -> Path:
    """The folder for what outlasts a process, whatever the current folder is: the checkout, or
    ``~/.finflows``, since an installed package may be replaced at any time."""
    return CODE if IS_CHECKOUT else Path.home() / ".finflows"


def command(*words: str) -> str:
    """``finflows WORDS`` as it can be typed here: by the path with which this process was called,
    where the shell would find no ``finflows``, or another one.

    It is for what is printed. What is stored says ``finflows``: it is read elsewhere, too.
    """
    called = Path(*sys.argv[:1])
    found = shutil.which(PROGRAM)
    by_path = called.name == PROGRAM and not (found and Path(found).resolve() == called.resolve())
    return " ".join([shlex.quote(str(called)) if by_path else PROGRAM, *words])


def make(target: str, otherwise: str) -> str:
    """``make TARGET`` where there is a Makefile, in the folder of a checkout, or ``otherwise``."""
    return f"make {target}" if IS_CHECKOUT and Path.cwd() == CODE else otherwise
