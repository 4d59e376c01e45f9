"""The former module of the kinds of columns: declarations that import it still work."""

import warnings

from modelling.declaration.columns import *  # noqa: F403

warnings.warn(  # not a DeprecationWarning: whoever wrote the declaration is to see it
    "modelling.columns is called modelling.declaration now: import amount, number, ... from there",
    FutureWarning,
    stacklevel=2,
)
