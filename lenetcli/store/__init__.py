"""The store of runs, an SQLite database; all SQL is in this package."""
