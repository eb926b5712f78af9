"""Pure functions from records to the tidy frame that every report reads."""
