"""The runner of migrations, on empty databases."""
