"""Training: a request is planned, its runs are claimed, trained and recorded."""
