"""What is promised for each fault, and which tests show it: the rows of the table in docs/reliability.md."""

from dataclasses import dataclass

FAULTS, STORE, WORKER, HOSTILE = "tests/faults/", "tests/store/", "tests/worker/", "tests/hostile/"


@dataclass(frozen=True)
class Promise:
    """A row. `kinds`: the faults of chaos that are this one; `tests`: node ids."""

    fault: str
    promised: str
    tests: tuple[str, ...]
    kinds: tuple[str, ...] = ()


PROMISES = (
    Promise(
        "a slot is killed (out of memory, a segfault)",
        "The cell that it ran is `Failed` and says how its process ended; the rest of its batch is given back at once, with what it had finished.",
        (FAULTS + "test_kill.py::test_a_slot_that_is_killed_costs_its_cell_and_its_mates_nothing",),
        ("kill slot",),
    ),
    Promise(
        "a worker, or its machine, is killed",
        "Whatever it held is served by others within a lease; what had finished does not run again.",
        (
            FAULTS + "test_kill.py::test_a_worker_that_is_killed_in_mid_wave_costs_nothing",
            FAULTS + "test_kill.py::test_both_workers_killed_again_and_again_and_the_wave_still_ends",
        ),
        ("kill worker",),
    ),
    Promise(
        "only a worker's watcher is killed",
        "Its slots and their commands end with it; else as above.",
        (
            FAULTS + "test_orphans.py::test_the_commands_of_a_killed_worker_end_with_it",
            WORKER + "test_stop.py::test_slots_end_with_their_worker",
        ),
        ("kill watcher",),
    ),
    Promise(
        "a worker stands still past its lease, and wakes",
        "Others serve what it held. When it wakes it changes nothing: its watcher ends what it still runs, its slots start and write nothing that is not theirs.",
        (
            FAULTS + "test_stall.py::test_what_a_woken_worker_runs_is_ended_when_others_hold_it",
            FAULTS + "test_stall.py::test_a_slot_whose_watcher_is_stopped_starts_and_writes_nothing_that_others_hold",
            FAULTS + "test_kill.py::test_a_worker_that_was_stopped_past_its_lease_changes_nothing_when_it_wakes",
        ),
        ("stall worker", "stall watcher"),
    ),
    Promise(
        "one slot hangs",
        "Its watcher keeps its lease and kills it when its task is over its limit: that cell is `Failed`.",
        (WORKER + "test_crash.py::test_a_task_that_will_not_be_interrupted_is_killed_as_well",),
        ("stall slot",),
    ),
    Promise(
        "a stale claim is used, whatever for",
        "Nothing changes: board, counters, times, notes, logs, leases.",
        (
            FAULTS + "test_chaos_checks.py::test_stale_tokens_change_nothing",
            STORE + "test_machine.py::test_any_order_of_events_keeps_the_board_right",
        ),
    ),
    Promise(
        "a worker dies after it wrote a pipe and before it could say so",
        "The cell is `Finished` (reused) without a second run.",
        (FAULTS + "test_stall.py::test_a_pipe_whose_writer_died_before_it_could_say_so_is_finished_without_a_second_run",),
    ),
    Promise(
        "a value arrives late from a holder that was taken for dead",
        "The first value stays and the cell is `Finished` (reused); dependants read what is in the pipe. If nobody held the cell before, another value is an error.",
        (
            FAULTS + "test_stall.py::test_a_value_that_an_earlier_holder_wrote_late_is_kept",
            FAULTS + "test_stall.py::test_a_value_that_arrives_before_the_cell_s_turn_is_not_computed_again",
        ),
    ),
    Promise(
        "Redis is killed and starts again from its append-only file",
        "Workers wait and go on; nothing that was acknowledged is lost (`appendfsync always`; with `everysec` see below).",
        (FAULTS + "test_kill.py::test_a_redis_that_dies_in_mid_wave_and_comes_back_costs_nothing",),
        ("restart Redis",),
    ),
    Promise(
        "Redis hangs, or cannot be reached for a while",
        "What was computed is kept until it can be written. Nothing more is started meanwhile.",
        (
            FAULTS + "test_away.py::test_workers_wait_and_go_on",
            FAULTS + "test_chaos.py::test_a_round_in_which_something_was_wrong_once",
        ),
        ("pause Redis", "refuse connections"),
    ),
    Promise(
        "Redis fails over to a replica (Sentinel), or a node of a cluster dies and comes back",
        "Workers find the new master and go on. What it had not heard of is computed again; see the limits.",
        (
            FAULTS + "test_failover.py::test_a_master_that_dies_in_mid_wave_is_replaced_by_its_replica",
            FAULTS + "test_failover.py::test_claims_that_the_replica_never_heard_of_are_made_again",
            FAULTS + "test_failover.py::test_a_node_of_a_cluster_that_dies_in_mid_wave_and_comes_back_costs_nothing",
        ),
    ),
    Promise(
        "Redis comes back empty",
        "Workers go on with what is queued then, and tell of themselves and their flows again.",
        (FAULTS + "test_away.py::test_a_redis_that_comes_back_empty_leaves_no_worker_behind",),
    ),
    Promise(
        "Redis forgets its scripts (NOSCRIPT: a restart, a failover, SCRIPT FLUSH)",
        "They are given to it again; nobody notices.",
        (STORE + "test_scripts.py::test_scripts_that_the_server_forgot_are_given_to_it_again",),
        ("flush scripts",),
    ),
    Promise(
        "connections are cut, or swallow what is sent",
        "Everything is sent again; whatever is done twice changes nothing the second time.",
        (STORE + "test_scripts.py::test_the_same_call_twice_changes_nothing",),
        ("cut connections", "black hole"),
    ),
    Promise(
        "Redis hears and does it, and the reply is lost",
        "The same. A claim whose reply was lost is served again when its lease is over.",
        (STORE + "test_scripts.py::test_the_same_call_twice_changes_nothing",),
        ("lose replies", "slow link"),
    ),
    Promise(
        "Redis is full (`maxmemory`, noeviction)",
        "Init refuses a wave that does not fit, with the numbers. In mid-wave a value that is refused fails its cell as `RedisFull`; nothing more is taken up until there is room, then the wave goes on.",
        (
            STORE + "test_need.py::test_a_wave_that_does_not_fit_is_refused_with_the_numbers_and_leaves_nothing",
            FAULTS + "test_full.py::test_what_is_under_way_fails_with_the_reason_and_the_rest_waits_for_room",
            FAULTS + "test_full.py::test_leases_are_kept_while_redis_is_full",
        ),
    ),
    Promise(
        "a wave is cancelled",
        "When `cancel` has returned nothing of it starts, on any worker. What runs is ended by its watcher within a second; commands hear SIGTERM first.",
        (
            FAULTS + "test_stall.py::test_when_cancel_has_returned_nothing_starts_though_no_watcher_hears_of_it",
            WORKER + "test_stop.py::test_cancelling_in_mid_wave_kills_what_runs_and_starts_nothing_more",
            FAULTS + "test_orphans.py::test_a_cancelled_command_hears_sigterm_first",
        ),
        ("cancel",),
    ),
    Promise(
        "a wave's deadline passes",
        "Nothing of it starts any more, whether anybody has noticed or not; what runs may end, the rest is `Cancelled` as «overdue».",
        (
            FAULTS + "test_deadline.py::test_what_runs_at_the_deadline_may_end_and_nothing_else_starts",
            FAULTS + "test_deadline.py::test_with_no_worker_alive_the_next_init_ends_what_is_overdue",
            STORE + "test_scripts.py::test_a_wave_past_its_deadline_starts_nothing",
        ),
        ("deadline",),
    ),
    Promise(
        "SIGTERM (a deployment, scale-in)",
        "What runs is finished within the stop timeout, the rest is given back and not counted as an attempt.",
        (
            WORKER + "test_stop.py::test_sigterm_lets_the_running_task_finish_and_gives_back_the_rest",
            WORKER + "test_stop.py::test_sigterm_again_and_again_loses_nothing",
        ),
        ("drain",),
    ),
    Promise(
        "SIGTERM, twice",
        "It ends at once: what runs is `Failed` as `WorkerStopped`, the rest is given back.",
        (WORKER + "test_stop.py::test_a_second_sigterm_ends_what_runs_at_once",),
        ("drain at once",),
    ),
    Promise(
        "hostile input: keys, configs, versions, values, logs, error texts",
        "Data everywhere: what was written is read back to the byte, or refused whole with the reason. Nothing is executed, no markup, nothing that a terminal obeys.",
        (
            HOSTILE + "test_hostile_waves.py::test_a_wave_over_every_string",
            HOSTILE + "test_hostile_waves.py::test_commands_get_and_give_every_string_as_it_is",
            HOSTILE + "test_hostile_acts.py::test_a_wave_is_started_whole_or_not_at_all",
        ),
    ),
    Promise(
        "a cell kills its worker, twice",
        "It is `Failed` as `WorkerDied`, unless its pipe is there; it is not served a third time, and its batch-mates run.",
        (
            FAULTS + "test_kill.py::test_a_cell_that_ran_when_two_workers_died_is_not_run_again",
            STORE + "test_scripts.py::test_a_cell_that_ran_when_two_workers_died_is_left_running_for_who_takes_it_up",
        ),
    ),
)
