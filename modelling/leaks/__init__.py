"""What gives the target away before training: columns, gaps, dates, equal rows."""
