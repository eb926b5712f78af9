"""Exports, one file a format or tracker: see `bench.contracts.Export`."""
