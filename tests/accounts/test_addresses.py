"""Where a request comes from."""

from __future__ import annotations

import pytest

from engine.accounts.addresses import MOST_HOPS, Proxies, read_networks
from engine.config import read_config
from engine.errors import StartupRefused

PROXIES = Proxies(read_networks("127.0.0.1, 10.0.0.0/8,2001:db8::/32"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.7", "", "203.0.113.7"),
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
        ("127.0.0.2", "198.51.100.1", "127.0.0.2"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "1.1.1.1, 198.51.100.1, 10.1.2.3", "198.51.100.1"),
        ("127.0.0.1", "10.1.2.3, 10.1.2.4", "10.1.2.3"),
        ("127.0.0.1", "198.51.100.1, nonsense", "127.0.0.1"),
        ("127.0.0.1", "198.51.100.1:80, 10.1.2.3", "10.1.2.3"),
        ("::ffff:127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
        ("2001:db8::1", "2001:470::7", "2001:470::7"),
        ("", "198.51.100.1", ""),
        ("127.0.0.1", ", ".join(["198.51.100.1", *(MOST_HOPS * ["10.0.0.1"])]), "10.0.0.1"),
    ],
)
def test_the_client_is_the_last_address_that_is_no_proxy_of_ours(peer: str, forwarded: str, client: str) -> None:
    assert PROXIES.client(peer, forwarded) == client


def test_without_proxies_nobodys_word_counts() -> None:
    assert Proxies().client("127.0.0.1", "198.51.100.1") == "127.0.0.1"


SETTINGS = {"DATABASE_URL": "x", "BOOKING_MODE": "direct"}


@pytest.mark.parametrize("text", ["nonsense", "10.0.0.1/8", "10.0.0.0/33", "proxy.example.org"])
def test_proxies_that_cannot_be_read_start_nothing(text: str) -> None:
    with pytest.raises(StartupRefused, match="FIRSTCOME_TRUSTED_PROXIES cannot be read"):
        read_config({**SETTINGS, "FIRSTCOME_TRUSTED_PROXIES": text})


def test_a_trusted_header_needs_those_who_are_trusted() -> None:
    with pytest.raises(StartupRefused, match="FIRSTCOME_TRUSTED_PROXIES is not set"):
        read_config({**SETTINGS, "AUTH_MODE": "trusted-header"})


def test_in_production_nobody_comes_in_unknown() -> None:
    with pytest.raises(StartupRefused, match="every caller must be known"):
        read_config({**SETTINGS, "AUTH_MODE": "open", "FIRSTCOME_ENVIRONMENT": "production"})
    assert read_config(SETTINGS).auth_mode == "required"
