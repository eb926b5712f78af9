"""Metrics, one file each: a class that derives from `bench.contracts.Metric`."""
