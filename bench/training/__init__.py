"""One cell: tuned, chosen, reported, explained and timed."""
