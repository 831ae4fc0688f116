"""The report of the exercise: its facts, the document, and its verification."""
