"""What a learning curve says, and what to change."""
