"""What a run has come to: records, the store, columns, tables, statistics."""
