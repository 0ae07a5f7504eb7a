"""The programs in examples/, at sizes of seconds."""

import re
from pathlib import Path

import pytest

from examples import my_task, parameter_sweep, plan_in_a_loop, train_a_value_function

FOLDER = Path(__file__).resolve().parents[2] / "examples"
PROGRAMS = sorted(FOLDER.glob("*.py"))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_each_is_short_and_in_the_list(program: Path) -> None:
    assert len(program.read_text().splitlines()) <= 60
    assert f"]({program.name})" in (FOLDER / "README.md").read_text()


def test_the_planner_in_a_loop_raises_the_pole(capsys: pytest.CaptureFixture[str]) -> None:
    assert plan_in_a_loop.main(steps=100) < 3.0
    assert len(re.findall(r"angle from upright +\d", capsys.readouterr().out)) == 10


def test_values_are_trained_and_used(capsys: pytest.CaptureFixture[str]) -> None:
    without, with_value = train_a_value_function.main(training_steps=192, horizon=16, steps=50)
    assert with_value != without
    assert "step 192: loss" in capsys.readouterr().out


def test_the_pendulum_is_up_after_six_seconds() -> None:
    assert my_task.main(steps=300)


def test_the_sweep_has_an_entry_for_each_combination(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parameters = ("noise_sigma:=0.1,0.5", "horizon:=8,16")
    outcomes = parameter_sweep.main(parameters, seeds=2, steps=10, workers=1, out=tmp_path)
    found = {(each.values["noise_sigma"], each.values["horizon"]) for each in outcomes}
    assert found == {(0.1, 8), (0.1, 16), (0.5, 8), (0.5, 16)}
    assert "cheapest within the best one's interval: " in capsys.readouterr().out
