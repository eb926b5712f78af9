"""What a suite's data are like before anything is trained on them: labels, duplicates, overlap, balance, lengths."""
