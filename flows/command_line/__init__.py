"""The command line ``finflows``, and what it prints."""
