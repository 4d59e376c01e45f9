"""What gives the target away before anything is trained: columns, missing cells, equal rows."""
