"""What the schema refuses by itself, asked in raw SQL: no rule of the engine runs here."""
