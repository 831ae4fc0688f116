"""What runs say, computed from plain numbers; no store and no drawing."""
