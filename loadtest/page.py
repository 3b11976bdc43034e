"""The report as a page: one file that needs nothing from anywhere, for light screens and dark ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from loadtest.charts import Line, chart

if TYPE_CHECKING:
    from engine.verify import Check
    from loadtest.findings import Report
    from loadtest.load import Result

STYLE = """
:root { color-scheme: light dark;
  --ground: #fbfbfa; --card: #fff; --ink: #1d2125; --soft: #5c656e; --rule: #e3e5e8; --grid: #eceef0;
  --first: #2563a8; --second: #c2570c; --good: #1b7f4b; --bad: #b3261e; --void: #8a6d00; }
@media (prefers-color-scheme: dark) { :root {
  --ground: #14171a; --card: #1c2024; --ink: #e6e8ea; --soft: #9aa4ad; --rule: #31373d; --grid: #272c31;
  --first: #6aa7e8; --second: #f0954f; --good: #5ac48a; --bad: #f2867f; --void: #d9b84a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 26px; margin: 0; }
h2 { font-size: 17px; margin: 36px 0 10px; }
.lead { color: var(--soft); margin: 4px 0 22px; }
.verdict { display: inline-block; margin-left: 10px; padding: 2px 10px; border-radius: 99px; font-size: 14px;
  vertical-align: 4px; border: 1px solid currentColor; }
.met { color: var(--good); } .missed, .broken { color: var(--bad); } .void { color: var(--void); }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--rule); border-radius: 8px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 7px 14px; text-align: right; border-top: 1px solid var(--rule); white-space: nowrap; }
tr:first-child > * { border-top: 0; }
th { color: var(--soft); font-weight: 500; font-size: 13px; }
th:first-child, td:first-child, .words { text-align: left; }
.words { white-space: normal; min-width: 220px; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 460px), 1fr)); gap: 14px; }
figure { margin: 0; padding: 14px 16px 8px; background: var(--card); border: 1px solid var(--rule);
  border-radius: 8px; }
figcaption { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 4px 14px; font-weight: 600;
  font-size: 14px; margin-bottom: 6px; }
.legend { font-weight: 400; color: var(--soft); font-size: 13px; }
.key { margin-left: 12px; }
.key::before { content: ""; display: inline-block; width: 12px; height: 3px; margin-right: 6px; vertical-align: 4px;
  background: var(--first); }
.key.second::before { background: var(--second); }
svg { width: 100%; height: auto; display: block; }
svg text { font: 12px system-ui, sans-serif; fill: var(--soft); }
.grid { stroke: var(--grid); }
.line { fill: none; stroke: var(--first); stroke-width: 1.8; stroke-linejoin: round; }
.line.second { stroke: var(--second); }
.area { fill: var(--first); opacity: .13; }
line.bound { stroke: var(--bad); stroke-dasharray: 5 4; }
svg text.bound { fill: var(--bad); }
ul { padding-left: 18px; color: var(--soft); }
"""

Row = Sequence[str]


def page(result: Result) -> str:
    """Write the report of a run."""
    parts = [
        _head(result),
        "<h2>What was asked for</h2>",
        _goals(result),
        "<h2>How it went</h2>",
        f'<div class="charts">{"".join(_charts(result))}</div>',
        *_crowds(result),
        "<h2>Requests</h2>",
        _operations(result),
        "<h2>Audit</h2>",
        _audit(result.audit),
        "<h2>Machine</h2>",
        _machine(result),
    ]
    title = f"firstcome load {escape(result.profile)}"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body><main>{''.join(parts)}</main></body></html>\n"
    )


def _head(result: Result) -> str:
    verdict = "met" if result.met else "missed"
    word = "everything is as asked for" if result.met else "not everything is as asked for"
    scale = "" if result.scale == 1 else f" · {result.scale:.3g} of the profile"
    return (
        f'<h1>firstcome load {escape(result.profile)}<span class="verdict {verdict}">{word}</span></h1>'
        f'<p class="lead">{result.began:%Y-%m-%d %H:%M:%S} UTC · {result.seconds:.1f} s · generator '
        f"{escape(result.generator)}, {result.busy:.0%} of a core{scale}</p>"
    )


def _goals(result: Result) -> str:
    rows = [[escape(goal.name), goal.measured, goal.asked, _mark(goal.verdict)] for goal in result.goals]
    table = _table(["figure", "measured", "asked for", ""], rows)
    if result.saturated:
        table += (
            '<p class="lead">The generator used more than nine tenths of a core: what is missed may be its own doing, '
            "and counts as void.</p>"
        )
    return table


def _charts(result: Result) -> Iterable[str]:
    moments = result.moments
    answered = [one for one in moments if one.rate]  # where nothing was answered there is no latency
    latency = [
        Line("p50", "first", [(one.at_s, one.p50_ms) for one in answered]),
        Line("p95", "second", [(one.at_s, one.p95_ms) for one in answered]),
    ]
    rate = [Line("answers", "first", [(one.at_s, one.rate) for one in moments], filled=True)]
    depth = [Line("waiting", "first", [(one.at_s, one.waiting) for one in moments], filled=True)]
    waits = [
        Line("p50", "first", [(one.position, one.p50_ms) for one in result.places]),
        Line("p95", "second", [(one.position, one.p95_ms) for one in result.places]),
    ]
    bound = next((("asked for", goal.bound) for goal in result.goals if goal.name.startswith("p95")), None)
    yield chart("Latency", latency, x="seconds", y="ms", bound=bound)
    yield chart("Throughput", rate, x="seconds", y="answers a second")
    yield chart("Waiting in the queues", depth, x="seconds", y="commands that have a ticket and no decision yet")
    if len(result.places) > 1:
        yield chart("Position on joining, and the wait", waits, x="position in the queue", y="ms until the decision")


def _crowds(result: Result) -> Iterable[str]:
    if result.crowds:
        rows = [
            [
                *(escape(one.name), str(one.crowds), str(one.one)),
                *(f"{took:.1f}" for took in (one.average_ms, one.p95_ms, one.slowest_ms)),
            ]
            for one in result.crowds
        ]
        yield "<h2>Crowds</h2>"
        yield _table(["at one time", "crowds", "exactly one yes", "average ms", "p95 ms", "slowest ms"], rows)


def _operations(result: Result) -> str:
    rows = [
        [
            *(escape(one.name), f"{one.requests:,}", f"{one.errors:,}"),
            *(f"{took:.1f}" for took in (one.p50_ms, one.p95_ms, one.p99_ms, one.longest_ms)),
            escape(", ".join(f"{name} {number:,}" for name, number in one.outcomes.items())),
        ]
        for one in result.operations
    ]
    head = ["request", "sent", "errors", "p50 ms", "p95 ms", "p99 ms", "longest ms", "answers"]
    return _table(head, rows, words=7) + _list(result.notes)


def _audit(found: Report) -> str:
    rows = [[escape(check.promise), f"{check.checked:,}", f"{check.broken:,}", _held(check)] for check in found.checks]
    violations = [
        f"{one.rule}: {one.resource_id} tickets {', '.join(map(str, one.tickets[:20]))}: {one.detail}"
        for one in found.violations
    ]
    lead = f"{found.operations:,} requests and {found.tickets:,} tickets in {found.seconds:.1f} s."
    return (
        f'<p class="lead">{lead}</p>'
        + _table(["what has to hold", "checked", "violations", ""], rows, words=0)
        + _list([*violations, *found.notes])
    )


def _machine(result: Result) -> str:
    rows = [[name, escape(value)] for name, value in result.machine.told()]
    if result.cpu_s:
        spent = ", ".join(f"{name} {seconds:.1f}" for name, seconds in result.cpu_s.items())
        rows.append(["processor seconds", escape(spent)])
    return _table([], rows, words=1)


def _table(head: Row, rows: Sequence[Row], *, words: int | None = None) -> str:
    """A table; ``words`` is the column that holds sentences."""

    def line(cells: Row, tag: str) -> str:
        kinds = (' class="words"' if number == words else "" for number in range(len(cells)))
        return (
            "<tr>" + "".join(f"<{tag}{kind}>{cell}</{tag}>" for kind, cell in zip(kinds, cells, strict=True)) + "</tr>"
        )

    lines = [line(head, "th")] if head else []
    lines += [line(row, "td") for row in rows]
    return f'<div class="scroll"><table>{"".join(lines)}</table></div>'


def _list(sentences: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(one)}</li>' for one in sentences)}</ul>" if sentences else ""


def _held(check: Check) -> str:
    if check.broken:
        return '<span class="broken">broken</span>'
    return '<span class="met">holds</span>' if check.checked else "nothing to check"


def _mark(verdict: str) -> str:
    return f'<span class="{verdict}">{verdict}</span>'
