"""arq processes that run turns. They know how to run, and decide nothing."""
