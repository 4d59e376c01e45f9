"""The former home of the kinds of columns: declarations written for it go on working."""

import warnings

from modelling.declaration.columns import *  # noqa: F403

warnings.warn(  # not a DeprecationWarning: whoever wrote the declaration is to see it
    "modelling.columns is called modelling.declaration now: import amount, number, ... from there",
    FutureWarning,
    stacklevel=2,
)
