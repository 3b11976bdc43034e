"""The ``firstcome`` command."""

VERSION = "0.1.0"
"""Of this release. It stands here, as the command also runs from sources that were never installed."""
