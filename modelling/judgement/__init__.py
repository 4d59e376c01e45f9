"""How good a model is: compared with baselines, with what uncertainty, and in money."""
