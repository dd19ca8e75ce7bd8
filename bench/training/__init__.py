"""One cell: tuned, chosen, reported, explained and timed; and its model, kept and used."""
