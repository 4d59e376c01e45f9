"""What a table or a store costs as it grows: ``python -m benchmarks.growth rows|columns|runs``."""
