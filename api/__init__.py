"""HTTP over Litestar: decode, join the queue, wait, answer."""
