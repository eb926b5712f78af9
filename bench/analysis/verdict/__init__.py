"""From columns of scores to an answer: which regime is enough, how surely, what would settle it. One idea a file."""
