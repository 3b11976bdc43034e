"""Redis: join, take, reply, trim."""
