"""Objectives, one file each: see `bench.contracts.Objective`."""
