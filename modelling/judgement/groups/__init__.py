"""To whom a model does what: groups of customers, segments where it is weak, and proxies."""
