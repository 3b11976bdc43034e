"""Numbered plain SQL with up and down; a file never changes after it has landed."""
