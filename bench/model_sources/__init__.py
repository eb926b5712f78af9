"""Where models come from, one file each: a class that derives from `bench.contracts.ModelSource`."""
