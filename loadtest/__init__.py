"""Load, the benchmark, and the audit after any run."""
