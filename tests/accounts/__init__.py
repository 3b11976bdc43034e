"""Accounts, sign-in, keys, admission, audit."""
