"""Who people are: passwords, tokens, keys, and the addresses that they come from."""
