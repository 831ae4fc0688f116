"""What is printed: messages, tables, the live display, and the standard streams."""
