"""The words of a declaration under the name that they have in a checkout and where the package is
installed: ``from finflows.declaration import UseCase``."""

from modelling.declaration import *  # noqa: F403
from modelling.declaration import __all__  # noqa: F401
