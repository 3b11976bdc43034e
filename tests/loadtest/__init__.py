"""The benchmark: what it sends, what it counts, when it is void, and what it leaves behind."""
