"""Series in a line for people: a table of rules for each language, and which language a caller reads."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from api.languages import LANGUAGES, language_of
from api.summaries import summary
from engine.rules.recurrence import Recurrence
from engine.rules.recurrence_rule import Frequency, parse_rule
from tests.rules.brute_force import Drawn, expand

ZONE = "Europe/Berlin"
TUESDAY = datetime(2026, 8, 11, 9)  # noqa: DTZ001  # a series begins on a wall clock
DAYS = tuple(datetime(2027, 1, day, 9, tzinfo=UTC) for day in range(1, 29))

ENGLISH = [
    ("FREQ=DAILY", "daily"),
    ("FREQ=DAILY;INTERVAL=3", "every 3 days"),
    ("FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", "daily on Mon, Tue, Wed, Thu and Fri"),
    ("FREQ=DAILY;BYMONTH=1,7", "daily in January and July"),
    ("FREQ=DAILY;BYMONTHDAY=13;BYDAY=FR", "daily on the 13th, only on Fri"),
    ("FREQ=WEEKLY", "weekly on Tue"),
    ("FREQ=WEEKLY;COUNT=10", "weekly on Tue, 10 times"),
    ("FREQ=WEEKLY;BYDAY=TU;COUNT=1", "weekly on Tue, once"),
    ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH", "every 2 weeks on Tue and Thu"),
    ("FREQ=WEEKLY;BYDAY=SU,TU;WKST=SU", "weekly on Tue and Sun"),
    ("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,TU", "every 2 weeks on Tue and Sun"),
    ("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,TU;WKST=SU", "every 2 weeks on Tue and Sun, weeks starting on Sunday"),
    ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH;WKST=SU", "every 2 weeks on Tue and Thu"),
    ("FREQ=WEEKLY;INTERVAL=2;WKST=SU", "every 2 weeks on Tue"),
    ("FREQ=WEEKLY;BYMONTH=3", "weekly on Tue in March"),
    ("FREQ=WEEKLY;BYDAY=MO,TU,WE;BYSETPOS=1", "weekly on Mon, Tue and Wed, only on the 1st of these days"),
    ("FREQ=WEEKLY;UNTIL=20261231", "weekly on Tue, until 31 December 2026"),
    ("FREQ=WEEKLY;UNTIL=20261231T233000Z", "weekly on Tue, until 1 January 2027"),
    ("FREQ=WEEKLY;UNTIL=20261231T233000", "weekly on Tue, until 31 December 2026"),
    ("FREQ=MONTHLY", "monthly on the 11th"),
    ("FREQ=MONTHLY;INTERVAL=6", "every 6 months on the 11th"),
    ("FREQ=MONTHLY;BYMONTHDAY=1,15", "monthly on the 1st and the 15th"),
    (
        "FREQ=MONTHLY;BYMONTHDAY=2,3,12,21,22,23",
        "monthly on the 2nd, the 3rd, the 12th, the 21st, the 22nd and the 23rd",
    ),
    ("FREQ=MONTHLY;BYMONTHDAY=-1", "monthly on the last day"),
    ("FREQ=MONTHLY;BYMONTHDAY=-2,1", "monthly on the 1st and the 2nd to last day"),
    ("FREQ=MONTHLY;BYDAY=2MO", "monthly on the 2nd Monday"),
    ("FREQ=MONTHLY;BYDAY=-1FR", "monthly on the last Friday"),
    ("FREQ=MONTHLY;BYDAY=-2FR", "monthly on the 2nd to last Friday"),
    ("FREQ=MONTHLY;BYDAY=-1FR,1MO,3MO", "monthly on the 1st Monday, the 3rd Monday and the last Friday"),
    ("FREQ=MONTHLY;BYDAY=TU", "monthly on every Tue"),
    ("FREQ=MONTHLY;BYDAY=TU,WE,2FR", "monthly on the 2nd Friday and on every Tue and Wed"),
    (
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        "monthly on every Mon, Tue, Wed, Thu and Fri, only on the last of these days",
    ),
    (
        "FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-2,1",
        "monthly on every Mon and Tue, only on the 1st of these days and the 2nd to last of these days",
    ),
    ("FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR", "monthly on the 13th, only on Fri"),
    (
        "FREQ=MONTHLY;BYMONTHDAY=8,9,10;BYDAY=2SA,2SU",
        "monthly on the 8th, the 9th and the 10th, only on the 2nd Saturday and the 2nd Sunday",
    ),
    ("FREQ=MONTHLY;BYMONTH=3,9;BYDAY=2MO", "monthly on the 2nd Monday in March and September"),
    ("FREQ=YEARLY", "yearly on 11 August"),
    ("FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=1TU", "every 4 years on the 1st Tuesday in November"),
    ("FREQ=YEARLY;BYMONTH=3", "yearly on 11 March"),
    ("FREQ=YEARLY;BYMONTH=3,6", "yearly on the 11th in March and June"),
    ("FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=1,15", "yearly on 1 and 15 March"),
    ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1", "yearly on the last day in February"),
    ("FREQ=YEARLY;BYMONTHDAY=15", "yearly on the 15th of every month"),
    ("FREQ=YEARLY;BYDAY=20MO", "yearly on the 20th Monday of the year"),
    ("FREQ=YEARLY;BYDAY=TU;BYMONTH=1", "yearly on every Tue in January"),
    (
        "FREQ=YEARLY;BYMONTH=11;BYMONTHDAY=2,3,4,5,6,7,8;BYDAY=TU",
        "yearly on 2, 3, 4, 5, 6, 7 and 8 November, only on Tue",
    ),
]
GERMAN = [
    ("FREQ=DAILY", "täglich"),
    ("FREQ=DAILY;INTERVAL=3;COUNT=4", "alle 3 Tage, 4-mal"),
    ("FREQ=WEEKLY;COUNT=10", "wöchentlich am Di, 10-mal"),
    ("FREQ=WEEKLY;BYDAY=TU;COUNT=1", "wöchentlich am Di, einmal"),
    ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH", "alle 2 Wochen am Di und Do"),
    ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TU;WKST=TU", "alle 2 Wochen am Mo und Di, Wochen ab Dienstag"),
    ("FREQ=WEEKLY;UNTIL=20261231", "wöchentlich am Di, bis 31. Dezember 2026"),
    ("FREQ=MONTHLY;BYMONTHDAY=1,15", "monatlich am 1. und 15."),
    ("FREQ=MONTHLY;BYMONTHDAY=-1", "monatlich am letzten Tag"),
    ("FREQ=MONTHLY;BYDAY=2MO", "monatlich am 2. Montag"),
    (
        "FREQ=MONTHLY;BYDAY=-1FR,-2FR,-3FR,-4FR",
        "monatlich am 4.-letzten Freitag, drittletzten Freitag, vorletzten Freitag und letzten Freitag",
    ),
    ("FREQ=MONTHLY;BYDAY=MO,WE", "monatlich an jedem Mo und Mi"),
    ("FREQ=MONTHLY;BYDAY=MO,WE;BYSETPOS=-1", "monatlich an jedem Mo und Mi, nur am letzten dieser Tage"),
    ("FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR", "monatlich am 13., nur am Fr"),
    ("FREQ=YEARLY", "jährlich am 11. August"),
    ("FREQ=YEARLY;BYMONTH=3,6", "jährlich am 11. im März und Juni"),
    ("FREQ=YEARLY;BYMONTHDAY=15", "jährlich am 15. jedes Monats"),
    ("FREQ=YEARLY;BYDAY=20MO", "jährlich am 20. Montag des Jahres"),
]
FRENCH = [
    ("FREQ=DAILY", "chaque jour"),
    ("FREQ=DAILY;INTERVAL=3;COUNT=4", "tous les 3 jours, 4 fois"),
    ("FREQ=WEEKLY;COUNT=10", "chaque semaine le mardi, 10 fois"),
    ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH", "toutes les 2 semaines le mardi et le jeudi"),
    (
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU",
        "toutes les 2 semaines le mardi et le dimanche, semaines à partir du dimanche",
    ),
    ("FREQ=WEEKLY;UNTIL=20270101", "chaque semaine le mardi, jusqu'au 1er janvier 2027"),
    ("FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=1,21", "tous les 2 mois le 1er et le 21"),
    (
        "FREQ=MONTHLY;BYMONTHDAY=-1,-2,-3",
        "chaque mois le 3e jour en partant de la fin, l'avant-dernier jour et le dernier jour",
    ),
    ("FREQ=MONTHLY;BYDAY=1MO,2MO", "chaque mois le 1er lundi et le 2e lundi"),
    ("FREQ=MONTHLY;BYDAY=-1FR", "chaque mois le dernier vendredi"),
    ("FREQ=MONTHLY;BYDAY=MO,WE", "chaque mois chaque lundi et chaque mercredi"),
    (
        "FREQ=MONTHLY;BYDAY=MO,WE;BYSETPOS=-1",
        "chaque mois chaque lundi et chaque mercredi, seulement le dernier de ces jours",
    ),
    ("FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR", "chaque mois le 13, seulement le vendredi"),
    ("FREQ=YEARLY;INTERVAL=4", "tous les 4 ans le 11 août"),
    ("FREQ=YEARLY;BYMONTH=3,6", "chaque année le 11 en mars et juin"),
    ("FREQ=YEARLY;BYMONTHDAY=15", "chaque année le 15 de chaque mois"),
    ("FREQ=YEARLY;BYDAY=20MO", "chaque année le 20e lundi de l'année"),
]
SPANISH = [
    ("FREQ=DAILY", "cada día"),
    ("FREQ=DAILY;INTERVAL=3;COUNT=1", "cada 3 días, una vez"),
    ("FREQ=WEEKLY;COUNT=10", "cada semana el martes, 10 veces"),
    ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH", "cada 2 semanas el martes y el jueves"),
    (
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU",
        "cada 2 semanas el martes y el domingo, semanas a partir del domingo",
    ),
    ("FREQ=WEEKLY;UNTIL=20261231", "cada semana el martes, hasta el 31 de diciembre de 2026"),
    ("FREQ=MONTHLY;BYMONTHDAY=1,15", "cada mes el día 1 y el día 15"),
    ("FREQ=MONTHLY;BYMONTHDAY=-1,-2,-3", "cada mes el 3.er día desde el final, el penúltimo día y el último día"),
    ("FREQ=MONTHLY;BYDAY=1MO,2MO", "cada mes el 1.er lunes y el 2.º lunes"),
    ("FREQ=MONTHLY;BYDAY=-1FR", "cada mes el último viernes"),
    ("FREQ=MONTHLY;BYDAY=MO,WE", "cada mes cada lunes y cada miércoles"),
    ("FREQ=MONTHLY;BYDAY=MO,WE;BYSETPOS=-1", "cada mes cada lunes y cada miércoles, solo el último día de estos"),
    ("FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR", "cada mes el día 13, solo el viernes"),
    ("FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=1,15", "cada año el 1 y el 15 de marzo"),
    ("FREQ=YEARLY;BYMONTH=3,6", "cada año el día 11 en marzo y junio"),
    ("FREQ=YEARLY;BYMONTHDAY=15", "cada año el día 15 de cada mes"),
    ("FREQ=YEARLY;BYDAY=20MO", "cada año el 20.º lunes del año"),
]


def series(rule: str | None, *, extra: int = 0, excluded: int = 0) -> Recurrence:
    """A series from a Tuesday on, with so many extra dates and exceptions."""
    parsed = None if rule is None else parse_rule(rule, zone=ZoneInfo(ZONE))
    return Recurrence(TUESDAY, ZONE, 3_600_000, parsed, DAYS[:extra], DAYS[:excluded])


@pytest.mark.parametrize(
    ("language", "rule", "expected"),
    [
        pytest.param(language, rule, expected, id=f"{language} {rule}")
        for language, table in (("en", ENGLISH), ("de", GERMAN), ("fr", FRENCH), ("es", SPANISH))
        for rule, expected in table
    ],
)
def test_a_rule_in_words(language: str, rule: str, expected: str) -> None:
    assert summary(series(rule), language=language) == expected


@pytest.mark.parametrize(
    ("language", "one", "several", "alone"),
    [
        (
            "en",
            "daily, and on 1 more date, except on 1 date",
            "daily, and on 2 more dates, except on 3 dates",
            "on 2 dates",
        ),
        (
            "de",
            "täglich, und an 1 weiteren Termin, außer an 1 Termin",
            "täglich, und an 2 weiteren Terminen, außer an 3 Terminen",
            "an 2 Terminen",
        ),
        (
            "fr",
            "chaque jour, et à 1 autre date, sauf à 1 date",
            "chaque jour, et à 2 autres dates, sauf à 3 dates",
            "à 2 dates",
        ),
        (
            "es",
            "cada día, y en 1 fecha más, excepto en 1 fecha",
            "cada día, y en 2 fechas más, excepto en 3 fechas",
            "en 2 fechas",
        ),
    ],
)
def test_dates_that_are_added_and_taken_away_are_counted(language: str, one: str, several: str, alone: str) -> None:
    assert summary(series("FREQ=DAILY", extra=1, excluded=1), language=language) == one
    assert summary(series("FREQ=DAILY", extra=2, excluded=3), language=language) == several
    assert summary(series(None, extra=2), language=language) == alone


def test_where_weeks_begin_is_told_where_it_makes_a_difference() -> None:
    """Held against rules day by day: with weeks from Monday on they give other days, or the same."""
    lots, first = Random(1), TUESDAY.date()
    told = Counter[bool]()
    for _ in range(300):
        days = (1, *lots.sample([0, 2, 3, 4, 5, 6], lots.randrange(4)))
        positions = lots.choice([(), (), (1,), (-1,)])
        plain = Drawn(
            "WEEKLY", lots.choice([1, 2, 3]), by_day=tuple((0, day) for day in days), by_set_position=positions
        )
        drawn = replace(plain, week_start=lots.randrange(7))
        ends = first + timedelta(weeks=7)
        differs = expand(drawn, first, first=first, behind=ends) != expand(plain, first, first=first, behind=ends)
        says = "weeks starting on" in summary(series(drawn.text), language="en")
        assert says >= differs if positions else says is differs, drawn.text
        told[says] += 1
    assert min(told[True], told[False]) > 50


def test_until_is_a_date_of_the_series_zone() -> None:
    late = Recurrence(
        TUESDAY, "Pacific/Auckland", 1, parse_rule("FREQ=DAILY;UNTIL=20261231T120000Z", zone=ZoneInfo("UTC"))
    )
    assert summary(late, language="en") == "daily, until 1 January 2027"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_a_word_for_everything(language: str) -> None:
    words = LANGUAGES[language]
    assert set(words.each) == set(words.every) == set(Frequency)
    assert len(set(words.short)) == len(set(words.weekdays)) == 7
    assert len(set(words.months)) == 12


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, "en"),
        (b"", "en"),
        (b"de", "de"),
        (b"de-AT", "de"),
        (b"DE-at", "de"),
        (b"zh-Hant-TW, fr", "fr"),
        (b"pt, ja;q=0.8", "en"),
        (b"fr;q=0.3, es;q=0.8, en;q=0.5", "es"),
        (b"fr;q=0.8, es;q=0.8", "fr"),
        (b"es;q=0.8, fr;q=0.8", "es"),
        (b"de;q=0.001, en;q=0", "de"),
        (b"de;q=0, en;q=0", "en"),
        (b"en;q=0, fr;q=0, *", "de"),
        (b"de;q=0.1, *;q=0.9", "en"),
        (b"*", "en"),
        (b"*;q=0", "en"),
        (b"de-AT;q=0.2, fr;q=0.5, de;q=0.9", "de"),
        (b"de-AT;q=0.9, fr;q=0.5, de;q=0.2", "de"),
        (b"fr ; q=0.5 , de ;q=0.6", "de"),
        (b"de;q=1.000, fr", "de"),
        (b"de;q=2, fr;q=0.1", "fr"),
        (b"de;q=0.1234, fr;q=0.1", "fr"),
        (b"de;level=1, fr;q=0.1", "fr"),
        (b"\xff\xfe, ,;,=, fr", "fr"),
        (b"en-" + b"x" * 9 + b", es", "es"),
        ("¼, de;q=\u0661".encode("utf-8") + b", es;q=0.1", "es"),
        (b", " * 10_000 + b"de", "en"),
    ],
)
def test_the_language_of_an_answer(header: bytes | None, expected: str) -> None:
    assert language_of(header) == expected


def test_only_so_much_of_a_header_is_read() -> None:
    assert language_of(b"x," * 2_046 + b"de") == "de"
    assert language_of(b"x," * 2_048 + b"de") == "en"
