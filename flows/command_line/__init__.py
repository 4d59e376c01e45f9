"""What people type, and what they read on the terminal."""
