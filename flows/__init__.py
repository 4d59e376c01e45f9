"""What runs when and where: one flow for every use case."""
