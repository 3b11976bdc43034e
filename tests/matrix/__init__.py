"""Who may do what, and what hostile callers try: every route of the interface, against everyone there is."""
