"""What the API and worker processes share: settings, logs, and an end when whoever started them ends."""

from __future__ import annotations

import argparse
import os
import resource
import signal
import threading

from engine import logs
from engine.config import Config, read_config

DESCRIPTORS = 65_536
END_WITHIN_S = 15.0
"""A process whose starter is gone and that does not end gracefully within this is ended."""


def settle(arguments: argparse.Namespace) -> Config:
    """Read the settings, set up the logs, watch the lifeline.

    Raises StartupRefused naming a setting that is wrong.
    """
    config = read_config(os.environ)
    _allow_many_connections()
    logs.set_up(config.log_level, config.log_format)
    if arguments.lifeline >= 0:
        threading.Thread(target=_end_with, args=(arguments.lifeline,), name="lifeline", daemon=True).start()
    return config


def announce(arguments: argparse.Namespace) -> None:
    """Tell ``firstcome up`` that this process has started."""
    if arguments.announce >= 0:
        os.write(arguments.announce, b"1")
        os.close(arguments.announce)
        arguments.announce = -1


def _allow_many_connections() -> None:
    # A launch brings thousands at once, and the usual limit is 1,024.
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if most == resource.RLIM_INFINITY else min(DESCRIPTORS, most)
    if limit != resource.RLIM_INFINITY and limit < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _end_with(lifeline: int) -> None:
    # Nobody writes to the pipe: reading returns when the last who held the other end is gone.
    os.read(lifeline, 1)
    timer = threading.Timer(END_WITHIN_S, os._exit, args=(1,))
    timer.daemon = True
    timer.start()
    os.kill(os.getpid(), signal.SIGTERM)
