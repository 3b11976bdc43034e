"""The embedded stack: servers that start from nothing and end with their owner."""
