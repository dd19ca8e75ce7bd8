"""Text: vocabularies, rows of numbers, and a grammar whose probabilities are known."""
