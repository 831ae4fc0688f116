"""Files for others: records, figures, the report."""
