"""How good a model is: beside whom, how surely, and in money."""
