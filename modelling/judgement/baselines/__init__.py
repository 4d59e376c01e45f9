"""What the network has to beat: models of one fit each, on the same rows and columns."""
