"""Some hundreds of the mutations of which `benchmarks.faults.mutations` tries thousands."""

from benchmarks.faults.mutations import run


def test_mutated_files_and_messages_are_refused_or_used_correctly() -> None:
    rows = run(count=240, seed=1)
    assert [(row["subject"], row["mutation"], row["example"]) for row in rows if row["wrong"]] == []
    for subject in ("weights", "checkpoint", "experience"):
        own = [row for row in rows if row["subject"] == subject]
        assert sum(int(str(row["tries"])) for row in own) == 240
        assert 0 < sum(int(str(row["correct"])) for row in own) < 240
