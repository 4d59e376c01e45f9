"""Metrics that scikit-learn lacks, and all of them over weighted resamples."""
