"""The way of a request through several parts at once."""
