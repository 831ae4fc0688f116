"""The machine: its devices, processor, limits and processes, and the disturbances of a measurement."""
