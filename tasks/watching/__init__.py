"""A registered version and rows of today: compared, and recorded."""
