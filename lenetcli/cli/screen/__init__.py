"""The screen: messages and data, tables, the live display, and the standard streams."""
