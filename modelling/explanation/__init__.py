"""What a packaged model needs to say why: a reference point, and its network over coalitions."""
