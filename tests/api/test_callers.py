"""What the headers of a request ask for."""

from __future__ import annotations

import pytest

from api.callers import Patience, idempotency_key, matches, patience, read_headers, wished_version
from api.decode import BadRequest


@pytest.mark.parametrize(
    ("prefer", "wish"),
    [
        (None, Patience(10.0)),
        (b"respond-async", Patience(0, "respond-async")),
        (b"Respond-Async", Patience(0, "respond-async")),
        (b"wait=5", Patience(5, "wait=5")),
        (b'wait="5"', Patience(5, "wait=5")),
        (b"wait = 5", Patience(5, "wait=5")),
        (b"wait=0", Patience(0, "wait=0")),
        (b"wait=31", Patience(30, "wait=30")),
        (b"wait=999999999", Patience(30, "wait=30")),
        (b"respond-async, wait=3", Patience(3, "respond-async, wait=3")),
        (b"return=minimal, wait=3; x=y, respond-async", Patience(3, "respond-async, wait=3")),
        (b"wait=3, wait=9", Patience(3, "wait=3")),
        (b"wait=-1", Patience(10.0)),
        (b"wait=1.5", Patience(10.0)),
        (b"wait=99999999999999999999", Patience(10.0)),
        (b"wait", Patience(10.0)),
        (b"return=minimal", Patience(10.0)),
        (b"", Patience(10.0)),
        (b",,;=\xff", Patience(10.0)),
        (b"respond-async" + b"," * 100_000, Patience(0, "respond-async")),
    ],
)
def test_prefer_says_how_long_to_wait(prefer: bytes | None, wish: Patience) -> None:
    assert patience({} if prefer is None else {b"prefer": prefer}, 10.0) == wish


def test_prefer_that_comes_twice_counts_as_one() -> None:
    headers = read_headers([(b"prefer", b"respond-async"), (b"prefer", b"wait=2")])
    assert patience(headers, 10.0) == Patience(2, "respond-async, wait=2")


@pytest.mark.parametrize("key", [b"k", b"x" * 255, b"~ !", b"\x20"])
def test_a_printable_key_is_taken_by_either_name(key: bytes) -> None:
    assert idempotency_key({b"idempotency-key": key}) == key.decode()
    assert idempotency_key({b"x-idempotency-key": key}) == key.decode()
    assert idempotency_key({b"idempotency-key": key, b"x-idempotency-key": key}) == key.decode()


@pytest.mark.parametrize("key", [b"", b"x" * 256, b"\x1f", b"\x7f", "ü".encode()])
def test_any_other_key_is_refused(key: bytes) -> None:
    for name in (b"idempotency-key", b"x-idempotency-key"):
        with pytest.raises(BadRequest) as caught:
            idempotency_key({name: key})
        assert caught.value.faults[0].code == "invalid_idempotency_key"


def test_two_keys_that_differ_are_refused() -> None:
    with pytest.raises(BadRequest):
        idempotency_key({b"idempotency-key": b"a", b"x-idempotency-key": b"b"})


@pytest.mark.parametrize(
    ("field", "version"),
    [
        (None, None),
        (b"*", None),
        (b'"7"', 7),
        (b' "7" ', 7),
        (b'W/"7"', 0),
        (b'"0"', 0),
        (b'"abc"', 0),
        (b'"7", "abc"', 7),
        (b'"99999999999999999999"', 0),
    ],
)
def test_if_match_names_a_version(field: bytes | None, version: int | None) -> None:
    assert wished_version({} if field is None else {b"if-match": field}) == version


@pytest.mark.parametrize("field", [b"", b"7", b'"7', b'"7" "8"', b'"7", "8"', b'"7",'])
def test_an_if_match_that_cannot_be_read_is_refused(field: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        wished_version({b"if-match": field})
    assert caught.value.faults[0].code == "invalid_if_match"


@pytest.mark.parametrize(
    ("field", "same"),
    [(b'"1"', True), (b'W/"1"', True), (b"*", True), (b'"2", "1"', True), (b'"2"', False), (b"1", False)],
)
def test_if_none_match_compares_weakly(field: bytes, same: bool) -> None:
    assert matches({b"if-none-match": field}, '"1"') is same
    assert matches({}, '"1"') is False
