"""A search's trials, and the study that proposes them."""
