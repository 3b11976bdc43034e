"""What operators are told about bookings: figures of some days, and a report by resource and day that is streamed."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
from litestar import Controller, get
from msgspec import UNSET, Struct, UnsetType

from api import access
from api.bodies import encode, instant_out
from api.decode import Body, Shape
from api.fields import (
    LONGEST_INTERVAL,
    Fault,
    FieldError,
    Limit,
    OneOf,
    TimeZoneName,
    described,
)
from api.http import Answer, Call, json_answer
from api.openapi import Operation, Success
from api.parts import parts_of
from api.streaming import StreamedAnswer
from api.windows import DAY, DayOrInstant
from engine.analytics import Question, conflicts, percentage, refusals
from engine.store.analytics import BOOKED, ResourceCount

DEFAULT_HOSTS = 10
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet may take for the beginning of a formula."""
MEDIA_TYPES = {"csv": b"text/csv; charset=utf-8; header=present", "ndjson": b"application/x-ndjson"}


@dataclass(frozen=True, slots=True)
class Day:
    """A plain date."""

    def read(self, value: object) -> date:
        """Read a date."""
        try:
            day = DayOrInstant().read(value)
        except FieldError as error:
            if error.code == "out_of_range":
                raise
            day = None
        if day is None or isinstance(day, datetime):
            raise FieldError("invalid_date", "must be a plain date that exists, such as 2026-08-10")
        return day


FirstDay = Annotated[
    Any,
    described(Day(), "First day.", "2026-08-01", extra_json_schema={"type": "string", "format": "date"}),
]
LastDay = Annotated[
    Any,
    described(
        Day(), "Last day, which is part of it.", "2026-08-31", extra_json_schema={"type": "string", "format": "date"}
    ),
]


class Days(Body, frozen=True):
    """At most 366 days of a zone, UTC's unless another is named."""

    start_date: FirstDay
    end_date: LastDay
    time_zone: TimeZoneName | UnsetType = UNSET

    def faults(self) -> list[Fault]:
        """Check the days, if both are right by themselves."""
        start, end = self.start_date, self.end_date
        if not isinstance(start, date) or not isinstance(end, date):
            return []
        if start > end:
            return [Fault("/start_date", "invalid_interval", "start_date must not be after end_date")]
        if end + DAY - start > LONGEST_INTERVAL:
            return [Fault("/end_date", "interval_too_long", "start_date to end_date must be at most 366 days")]
        return []

    def question(self, hosts: int = DEFAULT_HOSTS) -> Question:
        """What is asked."""
        zone = "UTC" if self.time_zone is UNSET else self.time_zone
        return Question(self.start_date, self.end_date, zone, hosts)


class AnalyticsQuery(Days, frozen=True):
    """Which days, and how many hosts to name."""

    limit: Limit | UnsetType = UNSET


class ReportQuery(Days, frozen=True):
    """Which days, and in which form."""

    format: Annotated[
        Literal["csv", "ndjson"] | UnsetType,
        described(OneOf(("csv", "ndjson")), "A table for spreadsheets (csv, the default), or an object a line.", "csv"),
    ] = UNSET


class DayBody(Struct):
    """The bookings of a day."""

    date: str
    count: int


class HostBody(Struct):
    """A host, and how many bookings there were with them. Who was erased has no name."""

    host_id: str
    host_name: str | None
    booking_count: int


class AnalyticsBody(Struct, kw_only=True):
    """What there is to say about some days.

    Attempts are commands to book: bookings, refusals, and what failed or was withdrawn.
    """

    total_bookings: int
    cancelled_bookings: int
    cancellation_rate: float
    bookings_per_day: list[DayBody]
    top_hosts: list[HostBody]
    attempts: int
    conflicts: int
    refusals_by_reason: dict[str, int]
    as_of: str
    source: Literal["replica", "primary"]
    staleness_ms: int


class ReportRow(Struct):
    """What came of the attempts to book on a resource on one day."""

    date: str
    resource_id: str
    host_id: str | None
    host_name: str | None
    attempts: int
    confirmed: int
    conflicts: int
    conflict_rate: float
    refusals_by_reason: dict[str, int]


ANALYTICS_QUERY = Shape(AnalyticsQuery)
REPORT_QUERY = Shape(ReportQuery)
COLUMNS = ReportRow.__struct_fields__

_HOST_ID = "019e0c3a-6c00-7d3e-9b1f-5f0f6f0e2a77"
_DAYS = {"start_date": "2026-08-01", "end_date": "2026-08-31", "time_zone": "Europe/Berlin"}
_PROBLEMS = ("invalid_interval", "interval_too_long", "unknown_time_zone", "unavailable")

READ_ANALYTICS = Operation(
    access=access.Access.OPERATOR,
    scope=access.Scope.ADMINISTER,
    query=AnalyticsQuery,
    query_example={**_DAYS, "limit": 10},
    answers={
        200: Success(
            "The figures.",
            AnalyticsBody,
            AnalyticsBody(
                total_bookings=40,
                cancelled_bookings=3,
                cancellation_rate=7.5,
                bookings_per_day=[DayBody("2026-08-01", 40)],
                top_hosts=[HostBody(_HOST_ID, "Ada", 12)],
                attempts=52,
                conflicts=11,
                refusals_by_reason={"conflict": 11, "max_active_bookings": 1},
                as_of="2026-08-31T08:15:30.125Z",
                source="replica",
                staleness_ms=140,
            ),
        )
    },
    problems=_PROBLEMS,
)
EXPORT_ANALYTICS = Operation(
    access=access.Access.OPERATOR,
    scope=access.Scope.ADMINISTER,
    query=ReportQuery,
    query_example={**_DAYS, "format": "csv"},
    answers={
        200: Success(
            "The report, a row for each resource and day with an attempt to book; with format=ndjson an object a line.",
            example=",".join(COLUMNS) + "\r\n"
            f'2026-08-01,room-1,{_HOST_ID},Ada,52,40,11,21.2,"{{""conflict"":11,""max_active_bookings"":1}}"\r\n',
            media_type="text/csv",
            or_media_type="application/x-ndjson",
        )
    },
    problems=_PROBLEMS,
)


class AnalyticsController(Controller):
    """``/admin/analytics``."""

    path = "/admin/analytics"

    @get(opt={"operation": READ_ANALYTICS})
    async def show_analytics(self, request: Call) -> Answer:
        """Count bookings, cancellations and refusals by day, and name the hosts with the most bookings.

        A day has what was decided on it, in the zone that is named. A series is one booking, and one that was moved
        is still one. The cancellation rate says how many percent of these bookings were cancelled since.
        """
        query = ANALYTICS_QUERY.decode_query(request.scope["query_string"])
        question = query.question(DEFAULT_HOSTS if query.limit is UNSET else query.limit)
        answer = await parts_of(request).analyst.ask(question)
        figures = answer.value
        body = AnalyticsBody(
            total_bookings=figures.bookings,
            cancelled_bookings=figures.cancelled,
            cancellation_rate=figures.cancellation_rate,
            bookings_per_day=[
                DayBody((question.first + timedelta(days=number)).isoformat(), count)
                for number, count in enumerate(figures.days)
            ],
            top_hosts=[HostBody(host.host, host.name, host.bookings) for host in figures.hosts],
            attempts=figures.attempts,
            conflicts=figures.conflicts,
            refusals_by_reason=figures.refusals,
            as_of=instant_out(answer.as_of or figures.now),
            source=answer.source,
            staleness_ms=answer.staleness_ms,
        )
        return json_answer(200, body, [(b"cache-control", b"no-store")])

    @get("/export", opt={"operation": EXPORT_ANALYTICS})
    async def export_analytics(self, request: Call) -> StreamedAnswer:
        """Write out, for each resource and day, how many tried to book, how many did, and why the others did not.

        It has what was decided until half a minute ago or so.
        """
        query = REPORT_QUERY.decode_query(request.scope["query_string"])
        form = "csv" if query.format is UNSET else query.format
        pages = parts_of(request).analyst.report(query.question())
        pieces = write_report(pages, form)
        return StreamedAnswer(await anext(pieces), pieces, MEDIA_TYPES[form], f"bookings.{form}")


async def write_report(
    pages: AsyncIterator[list[tuple[date, ResourceCount]]], form: Literal["csv", "ndjson"]
) -> AsyncGenerator[bytes, None]:
    """Write a report, a piece for each page: first the heading of a table together with the first page."""
    write, heading = (_csv, csv_line(COLUMNS)) if form == "csv" else (_ndjson, b"")
    begun = False
    async for page in pages:
        piece = b"".join(write(_row(day, count)) for day, count in page)
        yield piece if begun else heading + piece
        begun = True
    if not begun:
        yield heading


def _row(day: date, count: ResourceCount) -> ReportRow:
    attempts, taken = sum(count.results.values()), conflicts(count.results)
    return ReportRow(
        date=day.isoformat(),
        resource_id=count.resource_id,
        host_id=count.owner,
        host_name=count.owner_name,
        attempts=attempts,
        confirmed=count.results.get(BOOKED, 0),
        conflicts=taken,
        conflict_rate=percentage(taken, attempts),
        refusals_by_reason=refusals(count.results),
    )


def _ndjson(row: ReportRow) -> bytes:
    return encode(row) + b"\n"


def _csv(row: ReportRow) -> bytes:
    *cells, reasons = msgspec.structs.astuple(row)
    return csv_line([*cells, encode(reasons).decode()])


def csv_line(cells: Any) -> bytes:
    """Write a line of a table (RFC 4180). A text that a spreadsheet would take for a formula gets an apostrophe."""
    line = io.StringIO()
    csv.writer(line).writerow([_harmless(cell) for cell in cells])
    return line.getvalue().encode()


def _harmless(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell
