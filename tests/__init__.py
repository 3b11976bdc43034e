"""Tests: real PostgreSQL, real Redis, real processes."""
