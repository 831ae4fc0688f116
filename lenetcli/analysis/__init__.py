"""Statistics and statements about stored runs, computed from plain numbers without a store or a figure."""
