"""What travels inside every registered model; it imports nothing of this project, and one another
relatively: each model runs the modules that were registered with it."""
