"""Where data come from, one file each: a class that derives from `bench.contracts.DataSource`."""
