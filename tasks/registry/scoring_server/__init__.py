"""The program that serves one model over HTTP; it runs in the model's own small environment."""
