"""What can happen to series behind the engine's back, each with all that the audit must say about it."""

from __future__ import annotations

from engine.verify import CHAIN, FAR, OCCURRENCES
from tests.verify.damages import PLANTED, Damage, Named, course, room


def rule(tickets: tuple[int, ...], *bookings: str) -> Named:
    """A finding about what the rules of the room's series give."""
    return room(OCCURRENCES, tickets, *bookings)


SERIES_DAMAGES = (
    Damage(
        "an occurrence stands elsewhere than its rule says",
        "UPDATE booking SET during = tstzrange(lower(during) + interval '1 h', upper(during) + interval '1 h')"
        " WHERE id = {extras 1}",
        (room("bookings_are_in_ledger", (26,), "extras 1"),),
    ),
    Damage(
        "an occurrence takes longer than its series says",
        "UPDATE booking SET during = tstzrange(lower(during), upper(during) + interval '1 ms') WHERE id = {extras 1}",
        (room("bookings_are_in_ledger", (26,), "extras 1"),),
    ),
    Damage(
        "an occurrence forgets its series",
        "UPDATE booking SET series = NULL, occurrence = NULL WHERE id = {finite 1}",
        (room("bookings_are_in_ledger", (1,), "finite 1"), rule((1,), "finite")),
    ),
    Damage(
        "an occurrence has a name that its rule does not give",
        "UPDATE booking SET occurrence = occurrence + interval '1 day' WHERE id = {finite 1}",
        (
            room("bookings_are_in_ledger", (1,), "finite 1"),
            rule((1,), "finite"),
            rule((1,), "finite", "finite 1"),
        ),
    ),
    Damage(
        "an occurrence has the name of an exception",
        "UPDATE booking SET ticket = 22, request_id = (SELECT request_id FROM series WHERE id = {dated})"
        " WHERE id = {dated 3}",
        (rule((22,), "dated", "dated 3"),),
    ),
    Damage(
        "a restored occurrence has the name of another",
        "UPDATE booking SET occurrence = occurrence + interval '14 days' WHERE id = {finite 2b}",
        (rule((1,), "finite", "finite 2b"),),
    ),
    Damage(
        "a restored occurrence is of another series",
        "UPDATE booking SET series = {dated} WHERE id = {finite 2b}",
        (
            room("bookings_are_in_ledger", (4,), "finite 2b"),
            room("ledger_is_in_bookings", (4,), "finite 2b"),
            room("ledger_is_in_bookings", (5,), "finite 2b"),
            rule((22,), "dated", "finite 2b"),
        ),
    ),
    Damage(
        "a moved occurrence has the name of another",
        "UPDATE booking SET occurrence = occurrence + interval '7 days' WHERE id = {finite 3b}",
        (
            room("ends_are_in_ledger", (1,), "finite 3"),
            rule((1,), "finite"),
            rule((1,), "finite", "finite 3b"),
        ),
    ),
    Damage(
        "an occurrence disappears",
        "DELETE FROM booking WHERE id = {finite 1}",
        (rule((1,), "finite"),),
    ),
    Damage(
        "an occurrence that was stored later disappears",
        "DELETE FROM booking WHERE id = {skipping last}",
        (rule((24,), "skipping"),),
    ),
    Damage(
        "an occurrence appears from nowhere",
        "INSERT INTO booking (id, resource, exclusive, during, places, status, caller, ticket, request_id, created_at,"
        f" series, occurrence) SELECT {PLANTED}, resource, exclusive, tstzrange(lower(during) + interval '1 day',"
        " upper(during) + interval '1 day'), places, status, caller, ticket, request_id, created_at, series,"
        " occurrence + interval '1 day' FROM booking WHERE id = {finite 1}",
        (rule((1,), "finite", "planted"),),
    ),
    Damage(
        "a cancelled occurrence lives again",
        "UPDATE booking SET status = 'confirmed', ended_at = NULL WHERE id = {finite 4}",
        (
            room("no_overlap", (1, 24), "finite 4", "skipping 2"),
            room("ledger_is_in_ends", (7,), "finite 4"),
        ),
    ),
    Damage(
        "a cancelled series lives again",
        "UPDATE series SET status = 'confirmed', ended_at = NULL WHERE id = {moved}",
        (
            room("ledger_is_in_ends", (20,), "moved"),
            room("ledger_is_in_ends", (21,), "moved"),
            room("series_horizon", (), "moved"),
        ),
    ),
    Damage(
        "an occurrence of a cancelled series lives again",
        "UPDATE booking SET status = 'confirmed', ended_at = NULL WHERE id = {moved 2}",
        (
            room("ledger_is_in_ends", (20,), "moved 2"),
            room("ledger_is_in_ends", (21,), "moved 2"),
        ),
    ),
    Damage(
        "a predecessor lives again",
        "UPDATE booking SET status = 'confirmed', ended_at = NULL, rescheduled_to = NULL WHERE id = {finite 3}",
        (
            room("no_overlap", (1, 24), "finite 3", "skipping 1"),
            room("bookings_are_in_ledger", (6,), "finite 3b"),
            room("ledger_is_in_ends", (6,), "finite 3"),
        ),
    ),
    Damage(
        "an occurrence that was moved with the following ones lives again",
        "UPDATE booking SET status = 'confirmed', ended_at = NULL, rescheduled_to = NULL WHERE id = {daily 7}",
        (
            room("no_overlap", (8, 14), "daily 7", "later 3"),
            room("bookings_are_in_ledger", (14,), "later 3"),
            rule((8,), "daily", "daily 7"),
        ),
    ),
    Damage(
        "an occurrence that went along into a new series is moved on the way",
        "UPDATE booking SET during = tstzrange(lower(during), upper(during) - interval '1 min') WHERE id = {later 2}",
        (room("bookings_are_in_ledger", (14,), "later 2"),),
    ),
    Damage(
        "an occurrence ends by itself",
        "UPDATE booking SET status = 'cancelled', ended_at = now() WHERE id = {finite 1}",
        (room("ends_are_in_ledger", (1,), "finite 1"),),
    ),
    Damage(
        "an occurrence of a cancelled series had ended before",
        "UPDATE booking SET ended_at = ended_at - interval '1 s' WHERE id = {moved 2}",
        (room("ends_are_in_ledger", (18,), "moved 2"),),
    ),
    Damage(
        "an occurrence moves by itself",
        "UPDATE booking SET status = 'rescheduled', ended_at = now(), rescheduled_to = {finite 3b}"
        " WHERE id = {finite 1}",
        (room("ends_are_in_ledger", (1,), "finite 1"), rule((1,), "finite")),
    ),
    Damage(
        "a successor forgets its predecessor",
        "UPDATE booking SET rescheduled_from = NULL WHERE id = {finite 3b}",
        (
            room("bookings_are_in_ledger", (6,), "finite 3b"),
            room("ends_are_in_ledger", (1,), "finite 3"),
            room("ledger_is_in_ends", (6,), "finite"),
        ),
    ),
    Damage(
        "an occurrence follows one that did not move",
        "UPDATE booking SET rescheduled_from = {finite 2} WHERE id = {finite 1}",
        (room("bookings_are_in_ledger", (1,), "finite 1"),),
    ),
    Damage(
        "an occurrence clashes in its first years",
        "UPDATE booking SET status = 'clashed', ended_at = now() WHERE id = {finite 1}",
        (room("ends_are_in_ledger", (1,), "finite 1"),),
    ),
    Damage(
        "a booking clashes that is of no series",
        "UPDATE booking SET status = 'clashed', ended_at = now() WHERE id = {single}",
        (room("ends_are_in_ledger", (27,), "single"),),
    ),
    Damage(
        "a series ends by itself",
        "UPDATE series SET status = 'cancelled', ended_at = now() WHERE id = {extras}",
        (room("series_are_in_ledger", (26,), "extras"),),
    ),
    Damage(
        "a series moves by itself",
        "UPDATE series SET status = 'rescheduled', ended_at = now(), rescheduled_to = {dated} WHERE id = {extras}",
        (
            room("series_are_in_ledger", (26,), "extras"),
            rule((26,), "extras", "extras 1"),
            rule((26,), "extras", "extras 2"),
        ),
    ),
    Damage(
        "a series was moved, but not when its successor was made",
        "UPDATE series SET ended_at = ended_at + interval '1 s' WHERE id = {whole}",
        (room("series_are_in_ledger", (17,), "whole"),),
    ),
    Damage(
        "a series forgets that its rest was moved",
        "UPDATE series SET rescheduled_to = NULL WHERE id = {daily}",
        (room("ledger_is_in_ends", (14,), "daily"), rule((8,), "daily")),
    ),
    Damage(
        "a series forgets what it goes on from",
        "UPDATE series SET rescheduled_from = NULL WHERE id = {later}",
        (
            room("ledger_is_in_ends", (14,), "daily"),
            room("series_are_in_ledger", (8,), "daily"),
            room("series_are_in_ledger", (14,), "later"),
        ),
    ),
    Damage(
        "a series disappears",
        "DELETE FROM series WHERE id = {extras}",
        (
            room("ledger_is_in_bookings", (26,), "extras"),
            room("bookings_are_in_ledger", (26,), "extras 1"),
            room("bookings_are_in_ledger", (26,), "extras 2"),
        ),
    ),
    Damage(
        "a series appears from nowhere",
        "INSERT INTO series (id, resource, wall_clock, time_zone, length_ms, extra, places, status, caller, ticket,"
        f" request_id, created_at) SELECT {PLANTED}, resource, wall_clock, time_zone, length_ms, extra, places, status,"
        " caller, 99, request_id, created_at FROM series WHERE id = {extras}",
        (room("series_are_in_ledger", (99,), "planted"), rule((99,), "planted")),
    ),
    Damage(
        "a series claims the ticket of a refusal",
        "UPDATE series SET ticket = 25 WHERE id = {extras}",
        (
            room("ledger_is_in_bookings", (26,), "extras"),
            room("series_are_in_ledger", (25,), "extras"),
            rule((25,), "extras"),
        ),
    ),
    Damage(
        "a series claims another request",
        "UPDATE series SET request_id = gen_random_uuid() WHERE id = {extras}",
        (room("series_are_in_ledger", (26,), "extras"),),
    ),
    Damage(
        "a series takes more places than it was given",
        "UPDATE series SET places = 3 WHERE id = {pairs}",
        (course("series_are_in_ledger", (1,), "pairs"), course(FAR, (2,), "pairs", "daily one")),
    ),
    Damage(
        "a series takes more places than there are",
        "UPDATE series SET places = 4 WHERE id = {daily one}",
        (course("series_are_in_ledger", (2,), "daily one"), course(FAR, (2,), "daily one")),
    ),
    Damage(
        "a series takes longer than it was given",
        "UPDATE series SET length_ms = length_ms + 1 WHERE id = {extras}",
        (
            room("series_are_in_ledger", (26,), "extras"),
            room("bookings_are_in_ledger", (26,), "extras 1"),
            room("bookings_are_in_ledger", (26,), "extras 2"),
            rule((26,), "extras"),
        ),
    ),
    Damage(
        "a series follows another rule",
        "UPDATE series SET rule = 'FREQ=WEEKLY;COUNT=5' WHERE id = {finite}",
        (rule((1,), "finite"),),
    ),
    Damage(
        "a series forgets an exception",
        "UPDATE series SET excluded = '{}' WHERE id = {dated}".replace("{}", "{{}}"),
        (rule((22,), "dated"),),
    ),
    Damage(
        "a rule cannot be read",
        "UPDATE series SET rule = 'FREQ=SELDOM' WHERE id = {finite}",
        (rule((1,), "finite"),),
    ),
    Damage(
        "a series of which the rest was moved runs on",
        "UPDATE series SET rule = 'FREQ=DAILY;UNTIL=20270101T150000Z' WHERE id = {daily}",
        (rule((8,), "daily"),),
    ),
    Damage(
        "a series without end does not say up to where it is stored",
        "UPDATE series SET materialised_until = NULL WHERE id = {moved}",
        (rule((18,), "moved"),),
    ),
    Damage(
        "less is stored of a series than it says",
        "UPDATE series SET materialised_until = materialised_until + interval '7 days' WHERE id = {skipping}",
        (rule((24,), "skipping"),),
    ),
    Damage(
        "more is stored of a series than it says",
        "UPDATE series SET materialised_until = materialised_until - interval '7 days' WHERE id = {skipping}",
        (
            room("series_horizon", (), "skipping"),
            rule((24,), "skipping", "skipping last"),
        ),
    ),
    Damage(
        "a resource forgets its series",
        "UPDATE resource SET series_horizon = NULL WHERE id = {room}",
        (room("series_horizon", (), "later"),),
    ),
    Damage(
        "a resource thinks that more is stored of its series",
        "UPDATE resource SET series_horizon = series_horizon + interval '1 day' WHERE id = {course}",
        (course("series_horizon", (), "pairs"),),
    ),
    Damage(
        "a booking is moved onto what is not stored of a series",
        "UPDATE booking SET during = tstzrange(lower(during) + interval '43 h', upper(during) + interval '43 h')"
        " WHERE id = {single}",
        (
            room("bookings_are_in_ledger", (27,), "single"),
            room(FAR, (14,), "single", "later"),
        ),
    ),
    Damage(
        "a booking takes places of what is not stored of series",
        "UPDATE booking SET places = 3 WHERE id = {far}",
        (
            course("bookings_are_in_ledger", (5,), "far"),
            course(FAR, (2,), "far", "daily one"),
        ),
    ),
    Damage(
        "what a series is disappears from the ledger",
        "UPDATE ledger SET detail = NULL WHERE resource = {room} AND ticket = 26",
        (room(CHAIN, (26,)), rule((26,), "extras")),
    ),
    Damage(
        "what a series is cannot be read in the ledger",
        "UPDATE ledger SET detail = '\\xc1' WHERE resource = {room} AND ticket = 26",
        (room(CHAIN, (26,)), rule((26,), "extras")),
    ),
    Damage(
        "what was restored cannot be read in the ledger",
        "UPDATE ledger SET detail = '\\xc1' WHERE resource = {room} AND ticket = 4",
        (room(CHAIN, (4,)), rule((1,), "finite", "finite 2b")),
    ),
    Damage(
        "a cancellation names another occurrence",
        "UPDATE ledger SET booking = {finite 1} WHERE resource = {room} AND ticket = 7",
        (
            room(CHAIN, (7,)),
            room("ends_are_in_ledger", (1,), "finite 4"),
            room("ledger_is_in_ends", (7,), "finite 1"),
        ),
    ),
    Damage(
        "a restore names what is not there",
        f"UPDATE ledger SET booking = {PLANTED} WHERE resource = {{room}} AND ticket = 11",
        (room(CHAIN, (11,)), room("ledger_is_in_bookings", (11,), "planted")),
    ),
)
