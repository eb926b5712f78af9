"""Regimes, one file each: `bench.contracts.Regime` says what a file must hold."""
