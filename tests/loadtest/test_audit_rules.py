"""What the audit finds, rule by rule, in rows and answers that were made up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.batch import TICKET_JUMP
from loadtest.answers import Walk, check_keys, check_reads, check_real_time_order
from loadtest.findings import NAMED, Findings
from loadtest.model import DAY_S, Model, Row, Use, contradiction
from loadtest.record import Entry

NOW = 1_000_000.0
HOUR = 3_600.0
SLOT = (NOW + 10 * HOUR, NOW + 11 * HOUR)


def identifier(number: int) -> str:
    return str(UUID(int=number))


def row(ticket: int, kind: str = "book", **more: Any) -> Row:
    """A ledger row: by default a confirmed booking of an hour of its own."""
    told: dict[str, Any] = {
        "resource": 1,
        "ticket": ticket,
        "request_id": identifier(ticket),
        "kind": kind,
        "start": NOW + (10 + ticket) * HOUR,
        "end": NOW + (11 + ticket) * HOUR,
        "places": 1,
        "capacity": None,
        "subject": None,
        "outcome": "confirmed" if more.get("reason") is None else "refused",
        "reason": None,
        "booking": identifier(100 + ticket) if more.get("reason") is None else None,
        "first_ticket": None,
        "decided": NOW,
        "stands": True,
    }
    return Row(**{**told, **more})


def at(ticket: int, slot: tuple[float, float] = SLOT, **more: Any) -> Row:
    return row(ticket, start=slot[0], end=slot[1], **more)


def answer(ticket: int | None, sent: float = 0.0, answered: float | None = 1.0, **more: Any) -> Entry:
    """A request: by default a booking that was confirmed."""
    told: dict[str, Any] = {
        "operation": "book",
        "caller": "anonymous",
        "resource": "room",
        "sent": sent,
        "answered": answered,
        "status": 201,
        "outcome": "confirmed",
        "ticket": ticket,
        "request_id": None if ticket is None else identifier(ticket),
        "booking": None if ticket is None else identifier(100 + ticket),
    }
    return Entry(**{**told, **more})


def lost(sent: float = 0.0) -> Entry:
    return Entry(operation="book", caller="anonymous", resource="room", sent=sent)


def broken(findings: Findings) -> dict[str, int]:
    return {check.rule: check.broken for check in findings.checks() if check.broken}


def walked(rows: Sequence[Row], entries: Sequence[Entry] = (), *, capacity: int = 1, whole: bool = True) -> Findings:
    findings = Findings()
    walk = Walk("room", capacity, entries, findings, whole=whole)
    for each in rows:
        walk.take(each)
    walk.end()
    return findings


@pytest.mark.parametrize(
    ("entries", "violations"),
    [
        ([answer(1, 0, 1), answer(2, 2, 3)], 0),
        ([answer(2, 0, 1), answer(1, 2, 3)], 1),
        ([answer(2, 0, 3), answer(1, 2, 4)], 0),  # both were under way at one time
        ([answer(5, 0, 1), answer(3, 0, 2), answer(4, 3, 4)], 1),  # the highest that was answered counts
        ([answer(2, 0, 1), answer(2, 2, 3, replayed=True)], 0),
        ([answer(2, 0, 1), answer(1, 2, 3, status=202, outcome="queued")], 0),  # it may get another ticket
        ([answer(2, 0, 1), lost(2)], 0),
        ([answer(2, 0, 1), answer(2, 2, 3)], 1),  # one ticket, told to two
    ],
)
def test_who_was_answered_before_another_asked_has_the_lower_ticket(entries: list[Entry], violations: int) -> None:
    findings = Findings()
    check_real_time_order(entries, findings)
    assert broken(findings) == ({"real_time_order": violations} if violations else {})


@pytest.mark.parametrize(
    ("second", "violations"),
    [
        ({"replayed": True}, 0),
        ({"replayed": True, "ticket": 8}, 1),
        ({"replayed": True, "status": 409, "outcome": "conflict", "booking": None}, 1),
        ({"replayed": True, "booking": identifier(9)}, 1),
        ({"status": 422, "outcome": "key_reused", "ticket": 8, "booking": None}, 0),
        ({"status": 503, "outcome": "unavailable", "ticket": None, "booking": None}, 0),
        ({"caller": "another", "ticket": 8}, 0),
        ({"replayed": True, "body_hash": "another"}, 1),
        ({"status": 422, "outcome": "key_reused", "booking": None, "body_hash": "another"}, 0),
    ],
)
def test_the_same_key_has_the_same_answer(second: dict[str, Any], violations: int) -> None:
    findings = Findings()
    check_keys(
        [answer(1, key="k"), answer(**{"ticket": 1, "key": "k", "booking": identifier(101), **second})], findings
    )
    assert broken(findings) == ({"same_key_same_answer": violations} if violations else {})


def test_an_identifier_may_be_spelled_in_capitals() -> None:
    told = answer(1, request_id=identifier(0xA).upper(), booking=identifier(0xB).upper())
    held = row(1, request_id=identifier(0xA), booking=identifier(0xB))
    assert broken(walked([held], [told])) == {}
    assert broken(walked([held], [answer(1, request_id=identifier(0xA).upper(), booking=None)])) != {}


def test_a_request_that_is_decided_twice_is_found_and_its_copy_is_none() -> None:
    again = row(3, request_id=identifier(1))
    found = walked([row(1), row(2), again], whole=False)
    assert broken(found) == {"one_decision": 1}
    assert found.violations[0].tickets == [1, 3]
    assert broken(walked([row(1), row(2), again._replace(outcome="repeated", booking=None)], whole=False)) == {}


def test_findings_of_several_add_up() -> None:
    one, other = (walked([row(n, stands=False) for n in range(1, 16)], whole=False) for _ in "ab")
    one.add(other)
    assert broken(one) == {"yes_stands": 30}
    assert len(one.violations) == NAMED
    assert one.tickets == 30
    assert one.checked["numbers"] == 30


def test_a_reader_who_brings_the_version_sees_his_own_booking() -> None:
    read: dict[str, Any] = {"operation": "availability", "outcome": None, "status": 200}
    findings = Findings()
    check_reads([answer(None, seen=3, **read), answer(None, **read)], findings)
    assert broken(findings) == {}
    check_reads([answer(None, seen=3, own_free=True, **read)], findings)
    assert broken(findings) == {"own_booking_seen": 1}
    assert findings.violations[0].tickets == [3]


def test_rows_that_agree_with_the_answers_break_nothing() -> None:
    rows = [at(1), at(2, reason="conflict"), row(3)]
    entries = [answer(1), answer(2, status=409, outcome="conflict", booking=None), answer(3)]
    findings = walked(rows, entries)
    assert broken(findings) == {}
    checked = {check.rule: check.checked for check in findings.checks()}
    assert checked == dict.fromkeys(
        (
            *("numbers", "one_decision", "replay", "commit_order", "answers_in_ledger"),
            *("ledger_in_answers", "yes_stands"),
        ),
        3,
    )


@pytest.mark.parametrize(
    "told",
    [
        {"request_id": identifier(7)},
        {"booking": identifier(7)},
        {"status": 409, "outcome": "conflict", "booking": None},
        {"operation": "cancel", "status": 200},
    ],
)
def test_an_answer_that_says_something_else_than_its_row_is_found(told: dict[str, Any]) -> None:
    findings = walked([row(1)], [answer(**{"ticket": 1, **told})])
    assert broken(findings) == {"answers_in_ledger": 1}
    assert findings.violations[0].tickets == [1]


def test_an_answer_without_a_row_is_found() -> None:
    findings = walked([row(1)], [answer(1), answer(2)])
    assert broken(findings) == {"answers_in_ledger": 1}
    assert findings.violations[0].tickets == [2]


@pytest.mark.parametrize(("unanswered", "violations"), [(0, 1), (1, 0), (2, 0)])
def test_a_row_that_nobody_was_told_of_belongs_to_a_request_without_an_answer(unanswered: int, violations: int) -> None:
    entries = [answer(1), *(lost() for _ in range(unanswered))]
    findings = walked([row(1), row(2)], entries)
    assert broken(findings) == ({"ledger_in_answers": violations} if violations else {})
    assert broken(walked([row(1), row(2)], entries, whole=False)) == {}, "others may have asked"


def test_a_retry_is_the_answer_to_a_request_that_was_not_answered() -> None:
    assert broken(walked([row(1)], [lost(), answer(1, replayed=True)])) == {}


def test_a_repeated_row_needs_no_answer_of_its_own() -> None:
    assert broken(walked([row(1), row(2, outcome="repeated", booking=None, first_ticket=1)], [answer(1)])) == {}


@pytest.mark.parametrize(
    ("tickets", "violations"),
    [((1, 2, 3), 0), ((1, 3), 1), ((2, 3), 1), ((1, TICKET_JUMP, TICKET_JUMP + 1), 0), ((1, TICKET_JUMP + 1), 1)],
)
def test_a_gap_that_is_not_announced_is_found(tickets: Sequence[int], violations: int) -> None:
    rows = [at(ticket, (NOW + number * HOUR + 1, NOW + (number + 1) * HOUR)) for number, ticket in enumerate(tickets)]
    assert broken(walked(rows)) == ({"numbers": violations} if violations else {})


def test_a_ticket_that_was_decided_before_the_one_before_it_is_found() -> None:
    assert broken(walked([row(1, decided=NOW + 1), row(2, decided=NOW + 1)])) == {}
    assert broken(walked([row(1, decided=NOW + 1), row(2, decided=NOW)])) == {"commit_order": 1}


def test_a_confirmed_booking_that_is_gone_is_found() -> None:
    assert broken(walked([row(1, stands=False)])) == {"yes_stands": 1}
    assert broken(walked([row(1, reason="slot_in_past", start=NOW, stands=False)])) == {}


LATER = (SLOT[0] + HOUR, SLOT[1] + HOUR)
CROWDED = (row(1, "update_resource", capacity=3), at(2), at(3))


@pytest.mark.parametrize(
    ("rows", "wrong"),
    [
        ([at(1), at(2)], [2]),  # two in one place
        ([at(1), at(2, LATER)], []),  # half-open: they touch
        ([at(1), at(2, (SLOT[0], LATER[1]), reason="conflict")], []),
        ([at(1), at(2, LATER, reason="conflict")], [2]),  # refused, and free
        ([at(1, (NOW, NOW + 1), reason="slot_in_past")], []),
        ([at(1, (NOW, NOW + 1))], [1]),
        ([at(1, places=2, reason="places_exceed_capacity")], []),
        ([at(1), at(2, places=2, reason="conflict")], [2]),  # the other reason comes first
        ([at(1), row(2, "cancel", subject=identifier(101), booking=identifier(101)), at(3)], []),
        ([at(1), row(2, "cancel", subject=identifier(101)), row(3, "cancel", subject=identifier(101)), at(4)], []),
        ([at(1), row(2, "cancel", subject=identifier(101), reason="already_rescheduled"), at(3)], [2, 3]),
        ([at(1), at(2, LATER, kind="reschedule", subject=identifier(101)), at(3)], []),
        ([at(1), at(2, kind="reschedule", subject=identifier(101)), at(3)], [3]),  # in its own way it stands not
        ([at(1), row(2, "cancel", subject=identifier(109)), at(3, reason="conflict")], [2]),
        ([at(1), at(2, LATER, kind="reschedule", subject=identifier(109)), at(3, LATER, reason="conflict")], [2]),
        ([at(1), at(2, LATER), at(3, LATER, kind="reschedule", subject=identifier(101), reason="conflict")], []),
        (
            [
                at(1),
                row(2, "cancel", subject=identifier(101)),
                at(3, LATER, kind="reschedule", subject=identifier(101), reason="already_cancelled"),
            ],
            [],
        ),
        (
            [
                at(1),
                at(2, LATER, kind="reschedule", subject=identifier(101)),
                row(3, "cancel", subject=identifier(101), reason="already_rescheduled"),
            ],
            [],
        ),
        ([at(1), row(2, "update_resource", capacity=2), at(3), at(4, reason="conflict")], []),
        ([at(1), row(2, "update_resource", capacity=2), at(3), row(4, "update_resource", capacity=1)], [4]),
        (
            [
                at(1),
                row(2, "update_resource", capacity=2),
                at(3),
                row(4, "update_resource", capacity=1, reason="capacity_below_taken"),
            ],
            [],
        ),
        # What is past counts only where every booking has to become one of a single place.
        ([*CROWDED, row(4, "update_resource", capacity=2, decided=LATER[1])], []),
        ([*CROWDED, row(4, "update_resource", capacity=1, decided=LATER[1])], [4]),
        ([at(1), row(2, "cancel", subject=identifier(101), reason="stale_version"), at(3, reason="conflict")], []),
        # A person's bookings elsewhere are no part of the rows; what the rows do say comes first, and stays as it was.
        ([at(1, reason="max_active_bookings"), at(2)], []),
        ([at(1), at(2, LATER, kind="reschedule", subject=identifier(101), reason="max_active_bookings")], []),
        ([at(1), at(2, reason="max_active_bookings")], [2]),
        ([at(1), row(2, "cancel", subject=identifier(101), reason="max_active_bookings")], [2]),
        ([at(1, reason="max_bookings_with_host")], [1]),  # that is of slots
        ([at(1, outcome="failed", booking=None), at(2), at(3, outcome="withdrawn", booking=None)], []),
    ],
)
def test_outcomes_are_those_of_the_commands_one_by_one(rows: list[Row], wrong: list[int]) -> None:
    findings = walked(rows)
    assert [one.tickets for one in findings.violations if one.rule == "replay"] == [[ticket] for ticket in wrong]


def test_places_are_counted_at_each_instant() -> None:
    """Three long ones and two short ones beside each other: four at most at one time."""
    claims = [(0, 6), (1, 5), (2, 7), (0, 2), (2, 4)]
    rows = [at(n, (NOW + a * HOUR + 1, NOW + b * HOUR + 1)) for n, (a, b) in enumerate(claims, 1)]
    assert broken(walked(rows, capacity=4)) == {}
    assert broken(walked(rows, capacity=3)) == {"replay": 1}


def test_what_the_model_does_not_know_ends_its_replay_and_breaks_nothing() -> None:
    findings = Findings()
    walk = Walk("room", 1, (), findings, whole=False)
    for each in (at(1), row(2, "book_series"), at(3)):
        walk.take(each)
    walk.end()
    assert findings.beyond == 1
    assert findings.checked["replay"] == 1
    assert broken(findings) == {}


claims = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 40), st.integers(1, 3)).map(
        lambda drawn: (drawn[0] * HOUR, (drawn[0] + drawn[1]) * HOUR, drawn[2])
    ),
    max_size=12,
)


@given(claims, st.integers(0, 60), st.integers(1, 40))
def test_use_is_what_counting_at_every_hour_gives(
    taken: list[tuple[float, float, int]], start: int, length: int
) -> None:
    use = Use()
    for claim in taken:
        use.add(*claim)
    hours = [hour * HOUR for hour in range(110)]
    counted = {hour: sum(places for begin, end, places in taken if begin <= hour < end) for hour in hours}
    within = [counted[hour * HOUR] for hour in range(start, start + length)]
    assert use.peak(start * HOUR, (start + length) * HOUR) == max(within)
    assert use.peak_from(start * HOUR) == max(counted[hour] for hour in hours if hour >= start * HOUR)
    for begin, end, places in taken:
        use.add(begin, end, -places)
    assert use.peak(0, 5 * DAY_S) == 0


def test_a_fault_is_told_once_and_the_replay_goes_on_from_what_was_decided() -> None:
    model = Model(1)
    told = [contradiction(model, each) for each in (at(1), at(2), at(3, reason="conflict"))]
    assert told == [None, "book is confirmed and has to be refused (conflict)", None]
