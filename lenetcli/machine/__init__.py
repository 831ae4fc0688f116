"""The machine: devices, processor, limits, processes, and what disturbs a measurement."""
