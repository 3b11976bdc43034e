"""Where a request comes from: the address of its connection, or what a proxy that is trusted says of it.

``X-Forwarded-For`` is a list to which every proxy adds whom it heard from, at its right end. So it is read from the
right, as far as those who wrote it are trusted: the first address that is nobody's of ours is the client's. What
stands further left is the client's own tale.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

MOST_HOPS = 20
"""Proxies in a row that are looked at."""

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def read_networks(text: str) -> tuple[Network, ...]:
    """Read addresses and networks that are separated by commas. Raises ValueError naming what is neither."""
    parts = [part.strip() for part in text.split(",")]
    return tuple(ip_network(part) for part in parts if part)


class Proxies:
    """The proxies whose word counts.

    networks  where they are; none: nobody's word counts.
    """

    def __init__(self, networks: Sequence[Network] = ()) -> None:
        self._networks = tuple(networks)

    def trusts(self, address: str) -> bool:
        """Say whether a connection from there is that of a proxy of ours."""
        if not self._networks:
            return False
        found = _address(address)
        return found is not None and any(found in network for network in self._networks)

    def client(self, peer: str, forwarded: str) -> str:
        """The address of the client.

        peer       the address of the connection.
        forwarded  ``X-Forwarded-For``, empty where there is none.
        """
        client = peer
        for hop in reversed(forwarded.split(",")[-MOST_HOPS:]):
            told = _address(hop.strip())
            if told is None or not self.trusts(client):
                break
            client = str(told)
        return client


@lru_cache(maxsize=4_096)
def _address(text: str) -> Address | None:
    """Read an address; an IPv4 one in the clothes of IPv6 as what it is. None: it is none."""
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found
