"""Statements and the functions around them, on a real PostgreSQL."""
