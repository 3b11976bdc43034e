"""What is measured: targets under load, round after round, so that what disturbs one disturbs all alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from loadtest import history
from loadtest.asking import NEARLY_A_YEAR, Operator, count_booked, is_folded, store_operator
from loadtest.calendars import make_calendars
from loadtest.generators import Generator, Kind, Load, Rooms, Shot
from loadtest.goals import SERIES_LENGTH, few_of
from loadtest.ground import Ground, Installation, wait_until
from loadtest.people import signed_in, store_people, tokens_of, write_tokens
from loadtest.processes import Program, Watch
from loadtest.report import BOOKED, Measurement, what_is_wrong

SCENARIOS = ("many", "one", "class", "signed", "series", "direct", "stored", "figures", "backlog")
FINITE = ("series-52", f"FREQ=WEEKLY;COUNT={SERIES_LENGTH}")
INFINITE = (("series-weekly", "FREQ=WEEKLY"), ("series-daily", "FREQ=DAILY"))
"""Targets, which name the resources that they are on, too, and what each of their bookings repeats."""
CLASS_REQUESTS = 20_000
PREPARE_CONNECTIONS = 16
PREPARE_WITHIN_S = 120.0
FOLDED_WITHIN_S = 300.0


@dataclass(frozen=True)
class Plan:
    """How much is done.

    seconds       of one measurement; a class ends sooner, with its last request.
    warm_s        of load before each measurement, which is not counted.
    rooms         how many resources ``many`` means, and each kind of infinite series.
    finite_rooms  how many resources series of 52 are on.
    stored        bookings of the two installations that are compared.
    waiting       commands in the long queue of ``backlog``.
    calls         how often ``backlog`` times a call.
    """

    scenarios: frozenset[str]
    connections: Sequence[int]
    rounds: int
    seconds: float
    warm_s: float
    rooms: int = 10_000
    finite_rooms: int = 1_000
    stored: tuple[int, int] = (10_000, 1_000_000)
    waiting: int = 90_000
    calls: int = 200
    class_requests: int = CLASS_REQUESTS


class Site(Protocol):
    """What takes the load."""

    @property
    def programs(self) -> Sequence[Program]:
        """The processes that have to live as long as they are measured."""

    def watch(self) -> Watch:
        """Watch what it costs."""

    def settle(self) -> None:
        """Wait until everything that was sent has been decided."""


@dataclass(frozen=True)
class Target:
    """Something that load is sent to.

    connections  with how many it is measured.
    limit        answers after which a measurement ends, 0 for never.
    rooms        resources that are its own; None for those that every installation has.
    rule         what its bookings repeat; empty for single bookings.
    bearers      access tokens that are shown in turn; None: nobody signs in.
    operator     asks for figures while it is measured; None: nobody does.
    """

    name: str
    kind: Kind
    url: str
    site: Site
    connections: Collection[int]
    limit: int = 0
    rooms: Rooms | None = None
    rule: str = ""
    bearers: Path | None = None
    operator: Operator | None = None


class Course:
    """Measures a plan's targets on a ground.

    say     told in a sentence what goes on.
    booked  how often each address said that a time is booked, in all that was sent.
    wrong   why the run does not count.
    """

    def __init__(self, plan: Plan, ground: Ground, generator: Generator, say: Callable[[str], None]) -> None:
        self._plan = plan
        self._ground = ground
        self._generator = generator
        self._say = say
        self._rooms = Rooms(plan.rooms)
        self._slots: Counter[tuple[Kind, str]] = Counter()
        self.measurements: list[Measurement] = []
        self.booked: Counter[str] = Counter()
        self.wrong: list[str] = []

    def run(self) -> None:
        """Measure everything under load."""
        targets = list(self._targets())
        steps = [
            (target, connections, round_)
            for round_ in range(1, self._plan.rounds + 1)
            for connections in self._plan.connections
            for target in targets
            if connections in target.connections
        ]
        for number, (target, connections, round_) in enumerate(steps, 1):
            found = self.measure(target, connections, round_)
            self._say(f"[{number}/{len(steps)}] {connections} connections, {_told(found)}")
            if _dead(target.site):
                break  # what is not there takes no load

    def measure(self, target: Target, connections: int, round_: int) -> Measurement:
        """Warm a target up, then measure it once, and leave it with nothing under way."""
        name = f"{target.name} at {connections} connections, round {round_}"
        if self._plan.warm_s:
            self.shoot(f"{name}, warming up", target, connections, self._plan.warm_s)
            target.site.settle()
        asking = target.operator.asking() if target.operator else nullcontext()
        with target.site.watch() as watch, asking:
            shot, wrong = self.shoot(name, target, connections, self._plan.seconds, limit=target.limit)
        target.site.settle()
        complaints = target.operator.complaints() if target.operator else []
        wrong += complaints
        self.wrong += [f"{name}: {why}" for why in complaints]
        dead = [f"a process has died: {name}" for name in _dead(target.site)]
        self.wrong += [f"{name}: {why}" for why in dead]
        found = Measurement(
            target=target.name,
            connections=connections,
            round=round_,
            rate=shot.rate,
            p50_ms=shot.p50_ms,
            p99_ms=shot.p99_ms,
            statuses=shot.statuses,
            busy=shot.busy,
            saturated=shot.saturated,
            cpu_s={**watch.cpu_s, "generator": shot.busy * shot.seconds},
            memory_mb=watch.memory_mb,
            wrong=wrong + dead,
        )
        self.measurements.append(found)
        return found

    def shoot(
        self, name: str, target: Target, connections: int, seconds: float, *, limit: int = 0
    ) -> tuple[Shot, list[str]]:
        """Send load to slots that nobody has had. Returns what came of it, and why it does not count."""
        rooms = target.rooms or self._rooms
        used = target.kind, rooms.prefix
        first = self._slots[used]
        load = Load(target.url, target.kind, connections, seconds, first, rooms, limit, target.rule, target.bearers)
        shot = self._generator.shoot(load)
        self._slots[used] += shot.sent
        self.booked[target.url] += shot.statuses.get(BOOKED, 0)
        wrong = what_is_wrong(shot, target.kind, connections=connections, limit=limit)
        self.wrong += [f"{name}: {why}" for why in wrong]
        return shot, wrong

    def _targets(self) -> Iterator[Target]:
        wanted, every = self._plan.scenarios, self._plan.connections
        noop = self._ground.start_noop()
        yield Target("noop", "many", noop.url(lean=False), noop, every)
        yield Target("lean", "many", noop.url(lean=True), noop, every)
        if wanted & {"many", "one", "class", "signed"}:
            yield from self._queue(wanted, every)
        if "series" in wanted:
            yield from self._series(alone=min(every), few=few_of(every))
        if "direct" in wanted:
            direct = self._install("direct", direct=True)
            yield Target("direct-many", "many", direct.url, direct, every)
            yield Target("direct-one", "one", direct.url, direct, every)
        if "stored" in wanted:
            for name, bookings in zip(("little", "much"), self._plan.stored, strict=True):
                stored = self._install(f"stored_{name}", direct=False, bookings=bookings)
                yield Target(f"stored-{name}", "many", stored.url, stored, (max(every),))
        if "figures" in wanted:
            yield from self._figures((max(every),))

    def _queue(self, wanted: frozenset[str], every: Collection[int]) -> Iterator[Target]:
        """Everything that is booked through the queue by callers who have no past."""
        queue = self._install("queue", direct=False)
        if wanted & {"many", "signed"}:
            yield Target("many", "many", queue.url, queue, every)
        if "one" in wanted:
            yield Target("one", "one", queue.url, queue, every)
        if "class" in wanted:
            yield Target("class", "class", queue.url, queue, every, limit=self._plan.class_requests)
        if "signed" in wanted:
            signed, bearers = self._sign_in("signed", signed_in())
            yield Target("signed", "many", signed.url, signed, every, bearers=bearers)

    def _figures(self, crowd: Collection[int]) -> Iterator[Target]:
        """Bookings in a database with a year full of them, without and beside an operator who asks for its figures."""
        settings = signed_in()
        bookings = self._plan.stored[-1]
        figures, bearers = self._sign_in("figures", settings, bookings=bookings, over=NEARLY_A_YEAR)
        person, session, now = figures.ask(store_operator)
        tokens = tokens_of(settings["FIRSTCOME_TOKEN_KEY"])
        operator = Operator(figures.url, tokens, person, session, now)
        self._say("Waiting until the past is counted.")
        folded = partial(is_folded, until=now)
        wait_until(lambda: figures.ask(folded), FOLDED_WITHIN_S, "the workers have counted the past")
        if (total := operator.total()) != (made := figures.ask(count_booked)):
            self.wrong.append(f"figures: {total:,} bookings are counted, and {made:,} were made")
        yield Target("figures-quiet", "many", figures.url, figures, crowd, bearers=bearers)
        yield Target("figures-asked", "many", figures.url, figures, crowd, bearers=bearers, operator=operator)

    def _series(self, *, alone: int, few: int | None) -> Iterator[Target]:
        """Series beside single bookings, each kind on resources of its own; and availability with series in it."""
        finite = Rooms(self._plan.finite_rooms, FINITE[0])
        infinite = [(Rooms(self._plan.rooms, name), rule) for name, rule in INFINITE]
        series = self._install("series", direct=False, more=[finite, *(rooms for rooms, _ in infinite)])
        yield Target("series-single", "many", series.url, series, (alone,))
        yield Target(FINITE[0], "many", series.url, series, {alone, few or alone}, rooms=finite, rule=FINITE[1])
        for rooms, rule in infinite:
            yield Target(rooms.prefix, "many", series.url, series, (alone,), rooms=rooms, rule=rule)
        for name, url in make_calendars(series).items():
            yield Target(name, "read", url, series, (alone,))

    def _sign_in(
        self, name: str, settings: Mapping[str, str], *, bookings: int = 0, over: timedelta = timedelta()
    ) -> tuple[Installation, Path]:
        """Make an installation that knows its callers, with people in it, and the file of their access tokens."""
        bearers = self._ground.folder() / "bearers"

        def welcome(installation: Installation) -> None:
            people = installation.ask(store_people)
            now = installation.ask(lambda connection: connection.fetchval("SELECT now()"))
            write_tokens(bearers, people, settings["FIRSTCOME_TOKEN_KEY"], now)

        made = self._install(
            name, direct=False, bookings=bookings, over=over, settings=settings, welcome=welcome, bearers=bearers
        )
        return made, bearers

    def _install(
        self,
        name: str,
        *,
        direct: bool,
        bookings: int = 0,
        over: timedelta = timedelta(),
        more: Sequence[Rooms] = (),
        settings: Mapping[str, str] = MappingProxyType({}),
        welcome: Callable[[Installation], None] | None = None,
        bearers: Path | None = None,
    ) -> Installation:
        """Make an installation with its past, and take every room into use once.

        over      in which time its past was decided, until now.
        more      rooms beside those that every installation has.
        settings  beside those, or in place of those, that every installation has.
        welcome   puts into it whoever is to book there, whose tokens are then in ``bearers``.
        """
        self._say(f"Installing {name}" + (f" with {bookings:,} bookings." if bookings else "."))
        installation = self._ground.install(name, "direct" if direct else "queue")
        rooms = [self._rooms, *more]
        installation.ask(lambda connection: history.store_resources(connection, rooms))
        if bookings:
            installation.ask(lambda connection: history.store_past(connection, bookings, self._say, over=over))
            installation.stored = bookings
        installation.environment.update(settings)
        if welcome is not None:
            welcome(installation)
        self._ground.start(installation)
        for each in rooms:
            first_use = Target(
                name, "many", installation.url, installation, (PREPARE_CONNECTIONS,), rooms=each, bearers=bearers
            )
            self.shoot(f"{name}, first use", first_use, PREPARE_CONNECTIONS, PREPARE_WITHIN_S, limit=each.number)
        installation.settle()
        return installation


def _dead(site: Site) -> list[str]:
    return [program.name for program in site.programs if not program.alive]


def _told(found: Measurement) -> str:
    return (
        f"{found.target}: {found.rate:,.0f}/s, p50 {found.p50_ms:.1f} ms, p99 {found.p99_ms:.1f} ms"
        + "".join(f"; INVALID: {why}" for why in found.wrong)
        + ("; void, as the generator was saturated" if found.saturated else "")
    )
