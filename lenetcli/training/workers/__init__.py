"""Where training runs: a worker computes, and the process that was typed records what it reports."""
