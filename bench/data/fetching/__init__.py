"""Files that other people publish: where they are, and whether they are what they should be."""
