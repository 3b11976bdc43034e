"""The product: commands, rules, storage and the queue protocol. Imports neither ``api`` nor ``worker``."""
