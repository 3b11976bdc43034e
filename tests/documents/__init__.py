"""The documents and the container files: what they say is tried."""
