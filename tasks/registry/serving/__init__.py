"""Serving: the server of a model on this machine, the champion that it follows, and its image."""
