"""What a run has come to: what is stored, how it is judged, columns, tables."""
