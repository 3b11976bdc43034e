"""An export that is as the engine wrote it passes; each damage is found, and where it is."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from engine.chain import GENESIS, row_hash
from engine.export_check import RULES, Jump, Report, check_export, check_receipt
from engine.proof import Head, Receipt, decode_row, encode_line, encode_row, instant_text, read_document, signed
from engine.signing import SigningKey
from tests.proof.exports import DECIDED_AT, KEY, Ledger, book, edit_line, made, row_of, story

OTHER_KEY = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(32)))
Places = set[tuple[str, int | None]]
"""Rules that are broken, and at which tickets."""


@dataclass(frozen=True)
class Damage:
    """What somebody did to an export, and what must be found."""

    name: str
    do: Callable[[], list[bytes]]
    found: Places


def head() -> Head:
    return read_document(story().lines()[0], Head)


def without(ticket: int) -> list[bytes]:
    lines = story().lines()
    return [lines[0], *(line for line in lines[1:] if decode_row(line)[0].ticket != ticket)]


def swapped() -> list[bytes]:
    lines = story().lines()
    lines[2], lines[3] = lines[3], lines[2]
    return lines


def moved_on(ticket: int) -> Ledger:
    """The story with a number left out behind the row before a ticket, and all that is hashed made to fit."""
    ledger = story()
    rows = [
        msgspec.structs.replace(row, ticket=row.ticket + 1, decided_at=row.decided_at) if row.ticket >= ticket else row
        for row in ledger.rows
        if row.ticket <= 14
    ]
    return Ledger(rows, ledger.capacity)


DAMAGES = (
    Damage(
        "a row is changed",
        lambda: edit_line(story().lines(), 2, lambda line: line.replace(b"T10:30:00Z", b"T10:31:00Z")),
        {("chain", 2)},
    ),
    Damage(
        "what decides about nothing is changed",
        lambda: edit_line(story().lines(), 9, lambda line: line.replace(b'"places":1', b'"places":2')),
        {("chain", 9)},
    ),
    Damage("a row is taken out", lambda: without(2), {("chain", 3), ("no_gap", 3)}),
    Damage("the last row is taken out", lambda: without(1_000_002), {("whole", None)}),
    Damage(
        "two rows change places",
        swapped,
        {("chain", 2), ("chain", 3), ("chain", 4), ("no_gap", 3), ("no_gap", 2), ("clock", 2)},
    ),
    Damage(
        "the file ends in a line",
        lambda: [*story().lines()[:-1], story().lines()[-1][:40]],
        {("lines", None), ("whole", None)},
    ),
    Damage("a line is put in", lambda: [*story().lines()[:3], b"{}\n", *story().lines()[3:]], {("lines", None)}),
    Damage("a number is left out", lambda: moved_on(9).lines(), {("no_gap", 10)}),
    Damage(
        "the head is another resource's",
        lambda: [encode_line(signed(msgspec.structs.replace(head(), resource=8), KEY)), *story().lines()[1:]],
        {("lines", row.ticket) for row in story().rows},
    ),
    Damage(
        "the head says another capacity, under the old signature",
        lambda: [encode_line(msgspec.structs.replace(head(), initial_capacity=2)), *story().lines()[1:]],
        {("signature", None), ("outcomes", 2)},
    ),
    Damage("another key signed", lambda: story().lines(OTHER_KEY), {("signature", None)}),
    Damage("nobody signed", lambda: story().lines(None), {("signature", None)}),
    Damage(
        "the clock goes back",
        lambda: story().change(5, decided_at=DECIDED_AT - timedelta(days=1)).lines(),
        {("clock", 5)},
    ),
    # From here on all is chained and signed anew, as only the operator can: what is left is what must follow.
    Damage(
        "a no becomes a yes",
        lambda: story().change(2, outcome="confirmed", reason=None, clashes=(), booking=made(2)).lines(),
        {("outcomes", 2)},
    ),
    Damage(
        "a yes becomes a no",
        lambda: story().change(5, outcome="refused", reason="conflict", booking=None).lines(),
        {("outcomes", 5), ("outcomes", 7), ("outcomes", 14)},
    ),
    Damage(
        "a yes of the past",
        lambda: story().change(1_000_002, outcome="confirmed", reason=None, booking=made(1_000_002)).lines(),
        {("outcomes", 1_000_002)},
    ),
    Damage("another reason", lambda: story().change(2, reason="slot_in_past", clashes=()).lines(), {("outcomes", 2)}),
    Damage(
        "another one in the way", lambda: story().change(12, clashes=(made(11), made(7))).lines(), {("outcomes", 12)}
    ),
    Damage("nobody in the way", lambda: story().change(2, clashes=()).lines(), {("outcomes", 2)}),
    Damage(
        "less room than is taken",
        lambda: story().change(13, outcome="confirmed", reason=None).lines(),
        {("outcomes", 13), ("outcomes", 1_000_000)},
    ),
    Damage("an early repeat", lambda: story().change(6, first_ticket=7).lines(), {("outcomes", 6)}),
    Damage("a repeat of another kind", lambda: story().change(6, first_ticket=4).lines(), {("outcomes", 6)}),
    Damage("what was never made is cancelled", lambda: story().change(4, subject=made(99)).lines(), {("outcomes", 4)}),
    Damage("another booking is shown", lambda: story().change(4, booking=made(5)).lines(), {("outcomes", 4)}),
    Damage(
        "a booking is made twice",
        lambda: story().change(11, booking=made(7)).lines(),
        {("outcomes", 11), ("outcomes", 12), ("outcomes", 13), ("outcomes", 1_000_000)},
    ),
    Damage(
        "a version where none is sent",
        lambda: story().change(2, reason="stale_version", clashes=()).lines(),
        {("outcomes", 2)},
    ),
    Damage(
        "a yes without a booking",
        lambda: story().change(5, booking=None).lines(),
        {("outcomes", 5), ("outcomes", 7), ("outcomes", 14)},
    ),
    Damage("an end before the start", lambda: story().change(2, end_time=DECIDED_AT).lines(), {("outcomes", 2)}),
    Damage("no such outcome", lambda: story().change(2, outcome="perhaps").lines(), {("outcomes", 2)}),
    Damage("a no without a reason", lambda: story().change(2, reason=None).lines(), {("outcomes", 2)}),
)


def places(report: Report) -> Places:
    return {(violation.rule, violation.ticket) for violation in report.violations}


def test_an_export_with_something_of_every_kind_is_clean() -> None:
    report = check_export(story().lines(), keys=[OTHER_KEY.public, KEY.public])
    assert report.violations == [], report.text()
    assert report.clean
    assert report.signed_by == KEY.public.key_id
    assert report.jumps == [Jump(14, 1_000_000)]
    assert report.given == {"repeated": 1, "key_reused": 1, "withdrawn": 1}
    assert report.replayed == len(story().rows) - 3
    assert {check.rule for check in report.checks} == set(RULES) - {"receipt"}
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report
    assert report.text().endswith("no violations")


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_damage_is_found_and_named(damage: Damage) -> None:
    report = check_export(damage.do(), keys=[KEY.public])
    assert places(report) == damage.found, report.text()
    assert not report.clean


def test_what_is_no_export_is_said_to_be_none() -> None:
    for lines in ([], [b"\xff\n"], [b'{"format":"firstcome-ledger-2"}\n'], story().lines()[1:]):
        report = check_export(lines)
        assert places(report) == {("lines", None)}, report.text()


def test_without_keys_the_signature_is_not_believed_but_left_out() -> None:
    assert "was not checked" in check_export(story().lines()).notes[0]
    assert "is not signed" in check_export(story().lines(None)).notes[0]
    assert check_export(story().lines()).signed_by is None


def test_a_command_of_another_release_is_taken_as_given_and_what_it_may_have_done() -> None:
    """It may have taken any time and given any back; before it came, everything is held to the rules."""
    strange = row_of(2, "lend", subject=None)
    taken = book(3, 5, 6, reason="conflict", clashes=(made(77),))
    report = check_export(Ledger([book(1, 0, 1), strange, taken, book(4, 0, 1)]).lines())
    assert report.clean, report.text()
    assert report.given == {"kind_lend": 1, "what_stands_is_not_known": 2}
    refused = msgspec.structs.replace(strange, outcome="refused", reason="conflict")
    report = check_export(Ledger([book(1, 0, 1), refused, taken, book(4, 0, 1)]).lines())
    assert places(report) == {("outcomes", 3), ("outcomes", 4)}


def test_an_unknown_reason_is_taken_as_given() -> None:
    limited = book(2, 5, 6, reason="max_active_bookings", clashes=(), counted=5, counted_limit=5)
    report = check_export(Ledger([book(1, 0, 1), limited]).lines())
    assert report.clean, report.text()
    assert report.given == {"max_active_bookings": 1}


# ---------------------------------------------------------------------------- receipts


def receipt_for(ledger: Ledger, ticket: int, *, key: SigningKey | None = KEY) -> Receipt:
    """What the caller of a ticket was given."""
    row, row_hash = next(found for line in ledger.lines()[1:] if (found := decode_row(line))[0].ticket == ticket)
    receipt = Receipt(
        resource_id="room",
        ticket=ticket,
        request_id=row.request_id,
        row_hash=row_hash.hex(),
        joined_at=instant_text(row.joined_at),
        decided_at=instant_text(row.decided_at),
        outcome=row.outcome,
    )
    return signed(receipt, key)


def test_a_receipt_is_found_in_the_ledger() -> None:
    receipt = receipt_for(story(), 5)
    assert check_receipt(receipt, [KEY.public]).clean
    report = check_export(story().lines(), keys=[KEY.public], receipt=receipt)
    assert report.clean, report.text()
    assert {check.rule for check in report.checks} == set(RULES)


def test_a_ledger_that_was_rewritten_does_not_fit_a_receipt() -> None:
    """All is chained and signed anew, and every outcome follows: only the receipt tells."""
    receipt = receipt_for(story(), 5)
    rewritten = story().change(1, joined_at=DECIDED_AT - timedelta(hours=1))
    assert check_export(rewritten.lines(), keys=[KEY.public]).clean
    report = check_export(rewritten.lines(), keys=[KEY.public], receipt=receipt)
    assert places(report) == {("receipt", 5)}
    assert "row_hash" in report.violations[0].detail


@pytest.mark.parametrize(
    "forge",
    [
        lambda receipt: msgspec.structs.replace(receipt, ticket=1),
        lambda receipt: msgspec.structs.replace(receipt, outcome="refused"),
        lambda receipt: msgspec.structs.replace(receipt, resource_id="other"),
        lambda receipt: msgspec.structs.replace(receipt, signature=receipt.signature[:-2] + "AA"),
        lambda receipt: msgspec.structs.replace(receipt, signature="eyJhbGciOiJub25lIn0.."),
        lambda receipt: msgspec.structs.replace(receipt, signature="\u00e9"),
        lambda receipt: msgspec.structs.replace(receipt, key_id=OTHER_KEY.public.key_id),
        lambda receipt: msgspec.structs.replace(receipt, signature=None),
    ],
)
def test_a_forged_receipt_is_found(forge: Callable[[Receipt], Receipt]) -> None:
    report = check_receipt(forge(receipt_for(story(), 5)), [KEY.public, OTHER_KEY.public])
    assert places(report) == {("signature", None)}


def test_a_receipt_of_another_resource_is_not_of_this_ledger() -> None:
    receipt = receipt_for(story(), 5, key=None)
    other = signed(msgspec.structs.replace(receipt, resource_id="hall"), KEY)
    report = check_export(story().lines(), keys=[KEY.public], receipt=other)
    assert places(report) == {("receipt", 5)}
    assert report.violations[0].detail == "resource_id is room, and the receipt says hall"


def test_a_receipt_of_a_ticket_that_the_ledger_has_not_is_told() -> None:
    receipt = signed(msgspec.structs.replace(receipt_for(story(), 5, key=None), ticket=2_000_000), KEY)
    report = check_export(story().lines(), keys=[KEY.public], receipt=receipt)
    assert places(report) == {("receipt", None)}


# ---------------------------------------------------------------------------- size


def endless(rows: int, *, at: list[int]) -> Iterator[bytes]:
    """An export of one booking and refusals, line by line; ``at`` is told how much memory is used on the way."""
    yield Ledger([]).lines(None)[0]
    hashed = GENESIS
    for ticket in range(1, rows + 1):
        row = book(ticket, 0, 1, *([1] if ticket > 1 else []))
        hashed = row_hash(hashed, row)
        yield encode_row(row, hashed)
        if ticket % (rows // 2) == 0:
            gc.collect()
            at.append(tracemalloc.get_traced_memory()[0])


def test_a_row_that_claims_nothing_costs_a_few_bytes() -> None:
    used: list[int] = []
    rows = 6_000
    tracemalloc.start()
    try:
        check_export(endless(rows, at=used))
    finally:
        tracemalloc.stop()
    assert (used[1] - used[0]) / (rows / 2) < 40
