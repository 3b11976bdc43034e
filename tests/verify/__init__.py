"""The audit: each kind of damage is planted and must be named."""
