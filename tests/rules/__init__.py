"""The rules: decision tables and properties."""
