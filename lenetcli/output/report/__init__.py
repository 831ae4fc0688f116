"""The report of the exercise: its facts, its typesetting, and its verification against the store."""
