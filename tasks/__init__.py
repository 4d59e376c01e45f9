"""One module per stage of a flow; each function is a boundary: input, output, retries, a GPU."""
