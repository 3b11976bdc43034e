"""What may fail, what is promised then, and the tests that state it: the table of docs/reliability.md.

A test that measures hands its span to ``Recoveries.note``, which holds it against the promise; all of them are told
at the end of a run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Fault:
    """A row.

    within_s  how soon it must go on; None: nothing stands still, so there is nothing to measure.
    tests     that state the row's promise: file under ``tests/``, and the name of the function.
    """

    name: str
    within_s: float | None
    tests: tuple[str, ...]


FAULTS = (
    Fault(
        "an API process dies before it has enqueued (A1, A2)",
        None,
        ("faults/test_deaths.py::test_an_api_process_that_dies_at_a_step_books_at_most_once",),
    ),
    Fault(
        "an API process dies after it has enqueued (A3 to A7)",
        1.0,
        (
            "faults/test_deaths.py::test_an_api_process_that_dies_at_a_step_books_at_most_once",
            "faults/test_deaths.py::test_an_answer_that_was_written_is_the_answer_of_every_other_process",
            "faults/test_deaths.py::test_an_api_process_is_killed_in_the_middle_of_load_and_its_callers_retry_with_their_keys",
        ),
    ),
    Fault(
        "a worker dies, at any step (W1 to W10)",
        2.0,
        (
            "faults/test_deaths.py::test_a_worker_that_dies_at_a_step_leaves_its_work_to_others",
            "faults/test_deaths.py::test_workers_are_killed_in_the_middle_of_load",
        ),
    ),
    Fault(
        "a worker dies after its commit (W7 to W10)",
        0.5,
        ("faults/test_deaths.py::test_a_worker_that_dies_at_a_step_leaves_its_work_to_others",),
    ),
    Fault(
        "a worker is frozen, and comes back",
        2.0,
        (
            "faults/test_frozen.py::test_others_go_on_while_a_worker_is_frozen_and_it_changes_nothing_when_it_resumes",
            "faults/test_frozen.py::test_a_worker_that_trims_late_leaves_what_came_in_after_redis_was_put_back",
            "worker/test_ownership.py::test_two_turns_with_the_same_resource_decide_every_ticket_once",
        ),
    ),
    Fault(
        "every process is replaced under load",
        None,
        ("faults/test_rolling.py::test_every_process_is_replaced_under_load_and_no_request_fails",),
    ),
    Fault(
        "a wake-up is lost",
        1.0,
        (
            "faults/test_wake_ups.py::test_a_wake_up_that_is_lost_costs_a_sweep",
            "worker/test_turn_end.py::test_what_arrives_at_a_step_of_a_turn_is_not_left_to_the_sweep",
        ),
    ),
    Fault(
        "Redis is killed, and comes back with its file",
        3.0,
        ("faults/test_memory.py::test_redis_crashes_in_the_middle_of_load_and_remembers",),
    ),
    Fault(
        "Redis comes back empty, or as an older copy",
        5.0,
        (
            "faults/test_memory.py::test_redis_is_emptied_in_the_middle_of_load",
            "faults/test_memory.py::test_redis_is_put_back_to_an_older_copy_in_the_middle_of_load",
            "faults/test_memory.py::test_a_key_is_remembered_when_redis_has_forgotten_everything",
        ),
    ),
    Fault(
        "Redis is full",
        0.5,
        (
            "faults/test_full.py::test_a_full_redis_takes_nothing_and_gives_everything_back",
            "faults/test_full.py::test_a_full_redis_is_503_over_http",
        ),
    ),
    Fault(
        "Redis is frozen for three seconds, or slow",
        1.0,
        (
            "faults/test_slow.py::test_a_redis_that_is_frozen_for_three_seconds_holds_up_no_loop",
            "faults/test_slow.py::test_a_slow_redis_makes_answers_late_and_not_wrong",
        ),
    ),
    Fault(
        "the reply channel is cut",
        0.5,
        (
            "faults/test_replies.py::test_a_reply_that_is_lost_is_found_in_the_ledger",
            "faults/test_replies.py::test_a_reply_channel_that_is_cut_is_opened_anew",
            "faults/test_replies.py::test_a_reply_channel_that_falls_silent_is_opened_anew",
        ),
    ),
    Fault(
        "a connection is cut one way",
        3.0,
        (
            "faults/test_cut.py::test_a_cut_between_api_and_redis_ends_in_the_same_ticket",
            "faults/test_cut.py::test_a_worker_that_is_cut_off_leaves_its_work_to_another",
            "faults/test_cut.py::test_a_cut_between_api_and_primary_is_a_503_and_no_second_booking",
            "flow/test_reader.py::test_a_cut_cable_costs_no_read_and_is_mended_without_help",
        ),
    ),
    Fault(
        "PostgreSQL is killed and restarted",
        10.0,
        (
            "faults/test_database.py::test_postgresql_restarts_and_crashes_in_the_middle_of_load_and_nothing_is_given_up",
        ),
    ),
    Fault(
        "the primary is lost, and its synchronous standby promoted",
        5.0,
        ("faults/test_standby.py::test_what_was_acknowledged_stands_on_the_standby_that_is_promoted",),
    ),
    Fault(
        "the power fails",
        None,
        ("faults/test_power.py::test_what_was_acknowledged_is_there_after_a_power_cut",),
    ),
    Fault(
        "the replica is stopped, or behind",
        0.5,
        (
            "faults/test_replica.py::test_availability_goes_on_while_the_replica_is_away_and_own_bookings_are_seen",
            "flow/test_reader.py::test_a_replica_killed_frozen_and_cut_from_its_primary",
            "flow/test_availability.py::test_who_brings_what_was_seen_sees_it_and_who_does_not_may_wait",
        ),
    ),
    Fault(
        "the connections to the primary are used up",
        1.0,
        ("faults/test_pool.py::test_an_api_without_a_free_connection_says_so_in_time_and_holds_up_no_worker",),
    ),
    Fault(
        "clocks are off by an hour, or go back",
        None,
        ("faults/test_clocks.py::test_no_outcome_depends_on_the_clock_of_a_process",),
    ),
    Fault(
        "ten thousand callers hang up",
        None,
        ("flow/test_waiters.py::test_ten_thousand_callers_hang_up_and_leave_no_waiter_behind",),
    ),
    Fault(
        "the same key comes fifty times at once",
        None,
        (
            "flow/test_keys.py::test_fifty_equal_requests_at_two_api_processes_are_one_booking",
            "flow/test_keys.py::test_equal_requests_of_two_processes_share_an_entry_and_both_are_answered",
        ),
    ),
    Fault(
        "a command raises, hangs or kills its worker",
        5.0,
        (
            "faults/test_poison.py::test_poison_fails_and_its_neighbours_are_decided_in_order",
            "faults/test_poison.py::test_many_poisonous_commands_do_not_block_a_queue",
        ),
    ),
    Fault(
        "a hundred times the load",
        10.0,
        ("faults/test_storm.py::test_a_storm_is_refused_early_and_leaves_nothing_behind",),
    ),
    Fault(
        "several at once, at random",
        10.0,
        ("faults/test_chaos.py::test_a_short_run_of_chaos_breaks_nothing",),
    ),
)
"""In the order of docs/reliability.md."""

BY_NAME = {fault.name: fault for fault in FAULTS}


@dataclass
class Recoveries:
    """The spans that a run has measured, by row."""

    measured: dict[str, list[tuple[str, float]]] = field(default_factory=dict)

    def note(self, name: str, took_s: float, case: str = "") -> None:
        """Keep a span, and hold it against the promise of its row.

        case  which of several that one row covers.
        """
        fault = BY_NAME[name]
        assert fault.within_s is not None, f"{name}: nothing was promised"
        self.measured.setdefault(name, []).append((case, took_s))
        assert took_s <= fault.within_s, f"{name} ({case}): went on after {took_s:.2f} s, promised {fault.within_s:g} s"

    def lines(self) -> Iterator[str]:
        """Tell them, the longest of each row with its case."""
        for fault in FAULTS:
            if spans := self.measured.get(fault.name):
                case, longest_s = max(spans, key=lambda span: span[1])
                shortest_s = min(took_s for _, took_s in spans)
                told = f" ({case})" if case else ""
                yield (
                    f"{fault.name}: {shortest_s:.2f} to {longest_s:.2f} s{told}, {len(spans)} measured, "
                    f"promised {fault.within_s:g} s"
                )
