"""What travels inside every registered model; it imports nothing of this project."""
