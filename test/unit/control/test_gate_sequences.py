"""Random sequences of events through the real gate and command path: every command is one that may be."""

from benchmarks.faults.gate import run_all


def test_no_sequence_of_events_leads_to_a_command_that_must_not_be() -> None:
    rows = run_all(500)
    assert sum(int(str(row["sequences"])) for row in rows) >= 500
    # each kind of command was seen, of each robot in each mode
    for row in rows:
        assert min(int(str(row[kind])) for kind in ("planned", "safe", "silent", "final")) > 10, row
