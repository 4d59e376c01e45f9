"""One module for each way to decide from a probability, and what decisions cost."""
