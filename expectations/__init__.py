"""The vocabulary of rules on finance data, and the suite that a use case implies."""
