"""The words in which a series is summed up, a table for each language, and which of them a caller reads.

A language is added by adding its table: nothing else asks which one it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.rules.recurrence_rule import Frequency

LONGEST_HEADER = 4_096
"""So much of ``Accept-Language`` is read."""
_RANGE = re.compile(
    r"([a-z]{1,8}|\*)(?:-[a-z0-9]{1,8})*[ \t]*(?:;[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?",
    re.IGNORECASE | re.ASCII,
)

Names = tuple[str, ...]
Numbered = tuple[str, str]
"""For one, and for several (``count``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A language: names, and patterns for ``str.format``.

    each, every   how often: for an interval of one, and for a longer ``interval``.
    short, weekdays  names of the days from Monday on: alone, and behind an ordinal.
    conjunction   between the last two of a list.
    on_weekday, on_weekdays    one of a list of weekdays, and around their ``items``.
    each_weekday, on_each      the same for a month or a year, where every such day counts.
    on_days       around ``items`` that are counted: weekdays by ordinals, days of the month.
    suffixes, suffix  of an ordinal: by its last digit (11 to 13 have none), and of all others.
    nth, nth_last  the place of a ``noun`` from the start, and from the end; ``places`` has those with own names.
    month_day     one of a list of days of the month: its ``number`` (``numbers``: not in digits) or ``ordinal``.
    day           what a day of the month is called where it is counted from the end.
    of_these      what a day is called that the other parts of the rule gave.
    of_year       behind weekdays that are counted in the year.
    in_months, in_every_month  the months, and that all of them count, in a yearly rule.
    month_date    days of one month: ``days`` of the form ``day_of_month``.
    date          a day with its year.
    only          before what chooses among the days.
    weeks_from    on which weekday weeks begin, where that is not Monday and makes a difference.
    """

    each: Mapping[Frequency, str]
    every: Mapping[Frequency, str]
    short: Names
    weekdays: Names
    months: Names
    conjunction: str
    on_weekday: str
    on_weekdays: str
    each_weekday: str
    on_each: str
    on_days: str
    suffixes: Mapping[int, str] = field(default_factory=dict)
    suffix: str
    nth: str
    nth_last: str
    places: Mapping[int, str]
    month_day: str
    numbers: Mapping[int, str] = field(default_factory=dict)
    day: str
    of_these: str
    of_year: str
    in_months: str
    in_every_month: str
    month_date: str
    day_of_month: str
    date: str
    only: str
    weeks_from: str
    until: str
    times: Numbered
    more_dates: Numbered
    only_dates: Numbered
    except_dates: Numbered


def language_of(header: bytes | None) -> str:
    """Choose the language of an answer by ``Accept-Language``: one of LANGUAGES, English where nothing fits.

    A range is matched by its first subtag; among equally good ones the first that is named is taken.
    Source: RFC 9110, 12.4.2 and 12.5.4.
    """
    wished: dict[str, float] = {}
    for part in (header or b"")[:LONGEST_HEADER].decode("latin-1").split(","):
        if matched := _RANGE.fullmatch(part.strip(" \t")):
            name, quality = matched[1].lower(), float(matched[2] or 1)
            wished[name] = max(wished.get(name, 0.0), quality)
    rest = wished.get("*", 0.0)
    named_first = [name for name in (*wished, *LANGUAGES) if name in LANGUAGES]
    best = max(named_first, key=lambda name: wished.get(name, rest))
    return best if wished.get(best, rest) else DEFAULT_LANGUAGE


DEFAULT_LANGUAGE = "en"
LANGUAGES: dict[str, Words] = {
    "en": Words(
        each={
            Frequency.DAILY: "daily",
            Frequency.WEEKLY: "weekly",
            Frequency.MONTHLY: "monthly",
            Frequency.YEARLY: "yearly",
        },
        every={
            Frequency.DAILY: "every {interval} days",
            Frequency.WEEKLY: "every {interval} weeks",
            Frequency.MONTHLY: "every {interval} months",
            Frequency.YEARLY: "every {interval} years",
        },
        short=("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
        weekdays=("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
        months=(
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ),
        conjunction="and",
        on_weekday="{weekday}",
        on_weekdays="on {items}",
        each_weekday="{weekday}",
        on_each="on every {items}",
        on_days="on {items}",
        suffixes={1: "st", 2: "nd", 3: "rd"},
        suffix="th",
        nth="the {ordinal} {noun}",
        nth_last="the {ordinal} to last {noun}",
        places={-1: "the last {noun}"},
        month_day="the {ordinal}",
        day="day",
        of_these="of these days",
        of_year="of the year",
        in_months="in {months}",
        in_every_month="of every month",
        month_date="on {days} {month}",
        day_of_month="{number}",
        date="{number} {month} {year}",
        only="only {what}",
        weeks_from="weeks starting on {weekday}",
        until="until {date}",
        times=("once", "{count} times"),
        more_dates=("and on 1 more date", "and on {count} more dates"),
        only_dates=("on 1 date", "on {count} dates"),
        except_dates=("except on 1 date", "except on {count} dates"),
    ),
    "de": Words(
        each={
            Frequency.DAILY: "täglich",
            Frequency.WEEKLY: "wöchentlich",
            Frequency.MONTHLY: "monatlich",
            Frequency.YEARLY: "jährlich",
        },
        every={
            Frequency.DAILY: "alle {interval} Tage",
            Frequency.WEEKLY: "alle {interval} Wochen",
            Frequency.MONTHLY: "alle {interval} Monate",
            Frequency.YEARLY: "alle {interval} Jahre",
        },
        short=("Mo", "Di", "Mi", "Do", "Fr", "Sa", "So"),
        weekdays=("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"),
        months=(
            "Januar",
            "Februar",
            "März",
            "April",
            "Mai",
            "Juni",
            "Juli",
            "August",
            "September",
            "Oktober",
            "November",
            "Dezember",
        ),
        conjunction="und",
        on_weekday="{weekday}",
        on_weekdays="am {items}",
        each_weekday="{weekday}",
        on_each="an jedem {items}",
        on_days="am {items}",
        suffix=".",
        nth="{ordinal} {noun}",
        nth_last="{ordinal}-letzten {noun}",
        places={-1: "letzten {noun}", -2: "vorletzten {noun}", -3: "drittletzten {noun}"},
        month_day="{ordinal}",
        day="Tag",
        of_these="dieser Tage",
        of_year="des Jahres",
        in_months="im {months}",
        in_every_month="jedes Monats",
        month_date="am {days} {month}",
        day_of_month="{number}.",
        date="{number}. {month} {year}",
        only="nur {what}",
        weeks_from="Wochen ab {weekday}",
        until="bis {date}",
        times=("einmal", "{count}-mal"),
        more_dates=("und an 1 weiteren Termin", "und an {count} weiteren Terminen"),
        only_dates=("an 1 Termin", "an {count} Terminen"),
        except_dates=("außer an 1 Termin", "außer an {count} Terminen"),
    ),
    "fr": Words(
        each={
            Frequency.DAILY: "chaque jour",
            Frequency.WEEKLY: "chaque semaine",
            Frequency.MONTHLY: "chaque mois",
            Frequency.YEARLY: "chaque année",
        },
        every={
            Frequency.DAILY: "tous les {interval} jours",
            Frequency.WEEKLY: "toutes les {interval} semaines",
            Frequency.MONTHLY: "tous les {interval} mois",
            Frequency.YEARLY: "tous les {interval} ans",
        },
        short=("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
        weekdays=("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
        months=(
            "janvier",
            "février",
            "mars",
            "avril",
            "mai",
            "juin",
            "juillet",
            "août",
            "septembre",
            "octobre",
            "novembre",
            "décembre",
        ),
        conjunction="et",
        on_weekday="le {weekday}",
        on_weekdays="{items}",
        each_weekday="chaque {weekday}",
        on_each="{items}",
        on_days="{items}",
        suffix="e",
        nth="le {ordinal} {noun}",
        nth_last="le {ordinal} {noun} en partant de la fin",
        places={1: "le 1er {noun}", -1: "le dernier {noun}", -2: "l'avant-dernier {noun}"},
        month_day="le {number}",
        numbers={1: "1er"},
        day="jour",
        of_these="de ces jours",
        of_year="de l'année",
        in_months="en {months}",
        in_every_month="de chaque mois",
        month_date="{days} {month}",
        day_of_month="le {number}",
        date="{number} {month} {year}",
        only="seulement {what}",
        weeks_from="semaines à partir du {weekday}",
        until="jusqu'au {date}",
        times=("1 fois", "{count} fois"),
        more_dates=("et à 1 autre date", "et à {count} autres dates"),
        only_dates=("à 1 date", "à {count} dates"),
        except_dates=("sauf à 1 date", "sauf à {count} dates"),
    ),
    "es": Words(
        each={
            Frequency.DAILY: "cada día",
            Frequency.WEEKLY: "cada semana",
            Frequency.MONTHLY: "cada mes",
            Frequency.YEARLY: "cada año",
        },
        every={
            Frequency.DAILY: "cada {interval} días",
            Frequency.WEEKLY: "cada {interval} semanas",
            Frequency.MONTHLY: "cada {interval} meses",
            Frequency.YEARLY: "cada {interval} años",
        },
        short=("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
        weekdays=("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
        months=(
            "enero",
            "febrero",
            "marzo",
            "abril",
            "mayo",
            "junio",
            "julio",
            "agosto",
            "septiembre",
            "octubre",
            "noviembre",
            "diciembre",
        ),
        conjunction="y",
        on_weekday="el {weekday}",
        on_weekdays="{items}",
        each_weekday="cada {weekday}",
        on_each="{items}",
        on_days="{items}",
        suffixes={1: ".er", 3: ".er"},
        suffix=".º",
        nth="el {ordinal} {noun}",
        nth_last="el {ordinal} {noun} desde el final",
        places={-1: "el último {noun}", -2: "el penúltimo {noun}"},
        month_day="el día {number}",
        day="día",
        of_these="día de estos",
        of_year="del año",
        in_months="en {months}",
        in_every_month="de cada mes",
        month_date="{days} de {month}",
        day_of_month="el {number}",
        date="{number} de {month} de {year}",
        only="solo {what}",
        weeks_from="semanas a partir del {weekday}",
        until="hasta el {date}",
        times=("una vez", "{count} veces"),
        more_dates=("y en 1 fecha más", "y en {count} fechas más"),
        only_dates=("en 1 fecha", "en {count} fechas"),
        except_dates=("excepto en 1 fecha", "excepto en {count} fechas"),
    ),
}
