"""The socket on which requests come in."""

from __future__ import annotations

import errno
import socket

from engine.errors import StartupRefused

BACKLOG = 4096
"""Connections that wait to be accepted: a launch brings thousands within a second."""


def listen(host: str, port: int) -> socket.socket:
    """Bind and listen.

    port  0 takes a free one.

    Raises StartupRefused when the port is taken or the address is not ours.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise StartupRefused(f"{host} is not an address to listen on: {error.strerror}.") from None
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise StartupRefused(f"Port {port} is taken: stop what listens there, or choose another --port.") from None
        raise StartupRefused(f"Port {port} of {host} cannot be listened on: {error.strerror}.") from None
    return listener
