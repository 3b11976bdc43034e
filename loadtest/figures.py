"""What a history and the ledger beside it say in figures. Pure: entries and moments in, figures out."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from loadtest.behaviour import is_error
from loadtest.order import percentile
from loadtest.record import CONFIRMED, Entry

MOMENTS = 120
"""Points of a chart over time, about."""
LEAST_STEP_S = 0.02
TICKS = 12
"""Steps of the chart over positions, about."""


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of request: how many, how they were answered, how long it took."""

    name: str
    requests: int
    errors: int
    outcomes: dict[str, int]
    p50_ms: float
    p95_ms: float
    p99_ms: float
    longest_ms: float


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """What was answered in a step of time that begins so many seconds after the first request.

    rate     answers in a second.
    waiting  commands that had their ticket at its end and were not decided, in all queues.
    """

    at_s: float
    rate: float
    p50_ms: float
    p95_ms: float
    waiting: int


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """How long commands waited that joined a queue at positions up to this one, and above the one before it."""

    position: int
    commands: int
    p50_ms: float
    p95_ms: float


class Ticket(NamedTuple):
    """A ledger row: when it joined and was decided, in seconds by one clock."""

    resource: str
    ticket: int
    joined: float
    decided: float
    outcome: str


def operations(entries: Iterable[Entry]) -> list[Operation]:
    """Every kind of request, and all of them together as the last."""
    grouped: dict[str, list[Entry]] = defaultdict(list)
    everything = list(entries)
    for entry in everything:
        grouped[entry.operation].append(entry)
    named = [*sorted(grouped.items()), ("all", everything)]
    return [operation(name, group) for name, group in named]


def operation(name: str, entries: Sequence[Entry]) -> Operation:
    """The figures of some requests."""
    took = took_ms(entries)
    outcomes = Counter(entry.outcome or (str(entry.status) if entry.status else "no answer") for entry in entries)
    return Operation(
        name=name,
        requests=len(entries),
        errors=sum(map(is_error, entries)),
        outcomes=dict(outcomes.most_common()),
        p50_ms=percentile(took, 50),
        p95_ms=percentile(took, 95),
        p99_ms=percentile(took, 99),
        longest_ms=took[-1] if took else 0.0,
    )


def took_ms(entries: Iterable[Entry]) -> list[float]:
    """How long the answers took, in order."""
    return sorted(took for entry in entries if (took := entry.took_ms) is not None)


def confirmed_share(entries: Iterable[Entry], name: str) -> float:
    """Which share of the answers of one kind of request was yes."""
    answers = [entry.outcome == CONFIRMED for entry in entries if entry.operation == name and entry.status]
    return sum(answers) / max(1, len(answers))


def moments(entries: Sequence[Entry], tickets: Sequence[Ticket]) -> list[Moment]:
    """Latency, throughput and the depth of the queues over time. Both of them by the same clock."""
    answered = sorted((entry.answered, entry.took_ms) for entry in entries if entry.answered is not None)
    if not answered:
        return []
    began, ended = min(entry.sent for entry in entries), answered[-1][0]
    step = max(LEAST_STEP_S, (ended - began) / MOMENTS)
    joined, decided = (sorted(getattr(ticket, name) for ticket in tickets) for name in ("joined", "decided"))
    steps: dict[int, list[float]] = defaultdict(list)
    for at, took in answered:
        assert took is not None, "it was answered"
        steps[int((at - began) / step)].append(took)
    return [
        _moment(number * step, step, sorted(steps[number]), _waiting(joined, decided, began + (number + 1) * step))
        for number in range(int((ended - began) / step) + 1)
    ]


def _moment(at_s: float, step: float, took: Sequence[float], waiting: int) -> Moment:
    p50_ms, p95_ms = percentile(took, 50), percentile(took, 95)
    return Moment(at_s=at_s, rate=len(took) / step, p50_ms=p50_ms, p95_ms=p95_ms, waiting=waiting)


def _waiting(joined: Sequence[float], decided: Sequence[float], at: float) -> int:
    return bisect_right(joined, at) - bisect_right(decided, at)


def places(tickets: Iterable[Ticket]) -> list[Place]:
    """Position on joining, against the time until the decision: how long a place in the queue is."""
    queues: dict[str, list[Ticket]] = defaultdict(list)
    for ticket in tickets:
        queues[ticket.resource].append(ticket)
    waits = [pair for queue in queues.values() for pair in _waits(queue)]
    if not waits:
        return []
    bounds = _bounds(max(position for position, _ in waits))
    grouped: dict[int, list[float]] = defaultdict(list)
    for position, wait in waits:
        grouped[next(bound for bound in bounds if position <= bound)].append(wait)
    return [
        Place(
            position=bound,
            commands=len(group),
            p50_ms=percentile(ordered := sorted(group), 50),
            p95_ms=percentile(ordered, 95),
        )
        for bound, group in sorted(grouped.items())
    ]


def _waits(queue: Sequence[Ticket]) -> list[tuple[int, float]]:
    """Of each ticket of one queue: its position on joining, and its wait in milliseconds."""
    decided = sorted(ticket.decided for ticket in queue)
    ordered = sorted(queue, key=lambda ticket: ticket.ticket)
    return [
        (max(1, number - bisect_right(decided, ticket.joined)), max(0.0, ticket.decided - ticket.joined) * 1000)
        for number, ticket in enumerate(ordered, 1)
    ]


def _bounds(most: int) -> list[int]:
    """One by one while that is few; even steps otherwise."""
    step = max(1, -(-most // TICKS))
    return list(range(step, most + step, step))


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """A launch. What is said of tickets is the ledger's word.

    offered    arrivals in a second, from the first that was sent to the last.
    decided_s  from the first arrival to the last answer; None where there was none.
    first_ticket_ms  from the first arrival to the first ticket.
    first_100_ms  from the first ticket until a hundred were decided.
    ledger_s   from the first ticket until all were decided.
    served     of the first arrivals, as many as there were places: how many got one.
    """

    arrivals: int
    offered: float
    decided: int
    decided_s: float | None
    first_ticket_ms: float
    first_100_ms: float
    ledger_s: float
    confirmed: int
    served: int


def launch(entries: Sequence[Entry], tickets: Sequence[Ticket], *, places: int) -> Launch:
    """The figures of a launch: its arrivals, in order, and the tickets of its class, by the same clock."""
    sent = [entry.sent for entry in entries]
    answered = [entry.answered for entry in entries if entry.answered is not None]
    ordered = sorted(tickets, key=lambda ticket: ticket.ticket)
    first = ordered[0].joined if ordered else 0.0
    return Launch(
        arrivals=len(entries),
        offered=(len(sent) - 1) / (sent[-1] - sent[0]) if len(sent) > 1 else 0.0,
        decided=sum(1 for entry in entries if entry.definite),
        decided_s=max(answered) - sent[0] if answered else None,
        first_ticket_ms=(first - sent[0]) * 1000 if ordered else 0.0,
        first_100_ms=(max((ticket.decided for ticket in ordered[:100]), default=first) - first) * 1000,
        ledger_s=max((ticket.decided for ticket in ordered), default=first) - first,
        confirmed=_yes(entries),
        served=_yes(entries[:places]),
    )


def _yes(entries: Iterable[Entry]) -> int:
    return sum(1 for entry in entries if entry.outcome == CONFIRMED)


class Crowd(msgspec.Struct, frozen=True, kw_only=True):
    """Crowds of one size, all of whom asked for one time at one instant.

    crowds  how many.
    one     how many of them had exactly one yes.
    """

    name: str
    size: int
    crowds: int
    one: int
    average_ms: float
    p95_ms: float
    slowest_ms: float


def crowds(entries: Iterable[Entry], times: Mapping[str, int]) -> list[Crowd]:
    """The figures of crowds, by label.

    times  size of the crowds with a label.
    """
    grouped: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.label is not None:
            grouped[entry.label].append(entry)
    return [_crowd(name, times[name], group) for name, group in grouped.items()]


def _crowd(name: str, size: int, entries: Sequence[Entry]) -> Crowd:
    took = took_ms(entries)
    ordered = sorted(entries, key=lambda entry: entry.sent)
    each = [ordered[at : at + size] for at in range(0, len(ordered), size)]
    return Crowd(
        name=name,
        size=size,
        crowds=len(each),
        one=sum(sum(entry.outcome == CONFIRMED for entry in crowd) == 1 for crowd in each),
        average_ms=sum(took) / max(1, len(took)),
        p95_ms=percentile(took, 95),
        slowest_ms=took[-1] if took else 0.0,
    )
