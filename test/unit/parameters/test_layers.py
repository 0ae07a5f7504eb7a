"""Layers of parameters: whose they are, which one wins, and what is for nobody."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from polo_ros.errors import PoloError
from polo_ros.parameters.layers import check_layers, given_values, name_without_ros
from polo_ros.parameters.ros_arguments import parameter_layers
from polo_ros.parameters.settings import settings_for
from polo_ros.parameters.yaml_files import ParameterFile, matches

PLANNER = "planner_node"


def file(text: str) -> ParameterFile:
    """A parameter file with a text."""
    return ParameterFile.parse_overrides(text if "\n" in text else f"{text}\n")


def block(key: str, **parameters: Any) -> str:
    """The text of one block; `__` in a name is a dot."""
    named = {name.replace("__", "."): value for name, value in parameters.items()}
    return yaml.safe_dump({key: {"ros__parameters": named}})


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("planner_node", ["/planner_node"]),
        ("/planner_node", ["/planner_node"]),
        ("/**", ["/planner_node", "/a/planner_node", "/a/b/planner_node"]),
        ("/**/planner_node", ["/planner_node", "/a/planner_node", "/a/b/planner_node"]),
        ("/*/planner_node", ["/a/planner_node"]),
        ("/a/planner_node", ["/a/planner_node"]),
        ("a/**", ["/a/planner_node", "/a/b/planner_node"]),
        ("/a/*", ["/a/planner_node"]),
        ("/**/b/planner_node", ["/a/b/planner_node"]),
        ("/learner_node", []),
    ],
)
def test_keys_match_as_ros_2_matches_them(key: str, names: list[str]) -> None:
    all_names = ["/planner_node", "/a/planner_node", "/a/b/planner_node"]
    assert [name for name in all_names if matches(key, name)] == names


def test_nested_namespaces_and_numbers_are_read_as_ros_2_reads_them() -> None:
    nested = file("robot1:\n  planner_node:\n    ros__parameters: {horizon: 8, temperature: 1e-1}\n")
    assert nested.values("/robot1/planner_node") == {"horizon": 8, "temperature": 0.1}


def test_lists_are_read_as_launch_writes_them(tmp_path: Path) -> None:
    path = tmp_path / "written"
    path.write_text(yaml.dump({"/**": {"ros__parameters": {"experience_topics": ("a", "b")}}}))
    assert "python/tuple" in path.read_text()
    assert ParameterFile.read(path).values("/learner_node") == {"experience_topics": ["a", "b"]}


def test_the_same_key_in_two_spellings_is_one_block() -> None:
    text = block("planner_node", horizon=8) + block("/planner_node", rollouts=9)
    assert file(text).values("/planner_node") == {"horizon": 8, "rollouts": 9}


def test_a_key_that_appears_twice_is_refused() -> None:
    with pytest.raises(PoloError, match=r"the key horizon appears twice \(line 3\); keep one"):
        file("/**:\n  ros__parameters: {horizon: 8,\n    horizon: 9}\n")


def test_later_blocks_and_later_layers_win() -> None:
    first = file(block("/**/planner_node", horizon=1, rollouts=2, elites=3) + block("/**", horizon=4))
    assert given_values([first], "/planner_node") == {"horizon": 4, "rollouts": 2, "elites": 3}
    assert given_values([first, file("{rollouts: 5}")], "/planner_node")["rollouts"] == 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            block("/**/planner_node", horizont=8),
            "planner_node has no .* horizont; did you mean horizon?",
        ),
        (
            block("/planner_node", safety__max_effort_scal=0.1),
            r"no parameter safety\.max_effort_scal; did you mean safety\.max_effort_scale\?",
        ),
        (block("/**", torque_scal=0.4), "no node has a parameter torque_scal; did you mean torque_scale?"),
        (block("/**/planner_node", gradient_steps=3), "planner_node has no .*; it belongs to learner_node"),
        (block("/**/planer_node", horizon=8), "there is no node planer_node; did you mean planner_node?"),
        (block("/**/planner", horizon=8), "there is no node planner; did you mean planner_node?"),
        (
            block("/robot2/planner_node", horizon=8),
            "for /robot2/planner_node, but this node is /planner",
        ),
        (block("/robot2/**", horizon=8), r"for /robot2/\*\*, but this node is /planner_node"),
        (
            block("/**", reward__uprigt=1.0),
            r"no node has .*; did you mean reward\.upright",
        ),
    ],
)
def test_what_nobody_would_read_is_refused(text: str, message: str) -> None:
    with pytest.raises(PoloError, match=message):
        check_layers([file(text)], "/planner_node", PLANNER, "cartpole_swingup")


@pytest.mark.parametrize(
    "text",
    [
        block("/**", use_sim_time=True, batch_size=8, qos_overrides={"/joint_states": {"depth": 3}}),
        block("/**/planner_node", start_type_description_service=True),
        block("/robot2/planner_node", horizon=8) + block("/planner_node", horizon=9),
        block("/**/learner_node", horizont=8),  # the learner says so
        block("/**/planner_node", task="humanoid_getup", reward__motion=-0.05),
    ],
)
def test_what_somebody_reads_is_taken(text: str) -> None:
    assert check_layers([file(text)], "/planner_node", PLANNER, "cartpole_swingup") == []


def test_nodes_of_other_packages_are_named() -> None:
    text = block("/**/controller_manager", update_rate=100) + block("/planner_server", x=1)
    assert check_layers([file(text)], "/planner_node", PLANNER, "cartpole_swingup") == [
        "controller_manager", "planner_server",
    ]  # fmt: skip


# ---- a node's command line


def test_single_parameters_win_over_every_file(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(block("/**/planner_node", horizon=20, rollouts=20))
    words = f"planner_node --ros-args -p horizon:=8 --params-file {path} -p planner_node:rollouts:=9 -- -p x"
    layers = parameter_layers(words.split())
    assert given_values(layers, "/robot1/planner_node") == {"horizon": 8, "rollouts": 9}
    assert given_values(layers, "/robot1/learner_node") == {"horizon": 8}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--ros-args --params-file absent.yaml", "absent.yaml could not be read"),
        ("--ros-args --params-file", "--params-file must be followed by a file"),
        ("--ros-args -p", "-p must be followed by name:=value"),
        ("--ros-args -p horizon", "'horizon' is not of the form name:=value"),
    ],
)
def test_bad_arguments_are_refused(words: str, message: str) -> None:
    with pytest.raises(PoloError, match=message):
        parameter_layers(words.split())


# ---- polo, which has no namespace


@pytest.mark.parametrize(
    "key",
    [
        "planner_node",
        "/planner_node",
        "/robot1/planner_node",
        "/**/planner_node",
        "/*/planner_node",
        "/robot1/**",
    ],
)
def test_polo_reads_every_kind_of_key(key: str, tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(block(key, task="cartpole_swingup", horizon=21))
    assert settings_for("cartpole_swingup", path).planner.horizon == 21


def test_polo_does_not_guess_which_robot_is_meant() -> None:
    robots = file(block("/robot1/planner_node", horizon=8) + block("/robot2/planner_node", horizon=9))
    with pytest.raises(PoloError, match=r"several namespaces \(/robot1, /robot2\); give those of one robot"):
        name_without_ros([robots], PLANNER)


def test_polo_refuses_misspelt_parameters_of_nodes_that_it_does_not_need(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(block("/**/simulator_node", latencie=0.1))
    with pytest.raises(PoloError, match=r"simulator_node has no parameter latencie; did you mean latency\?"):
        settings_for("cartpole_swingup", path)


# ---- overrides


@pytest.mark.parametrize(
    "text", ["{horizon: 21}", "horizon: 21", "{planner_node: {ros__parameters: {horizon: 21}}}", "FILE"]
)
def test_overrides_are_yaml_or_a_file_of_either_form(text: str, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("horizon: 21\n")
    layer = ParameterFile.parse_overrides(str(path) if text == "FILE" else text)
    settings = settings_for("cartpole_swingup", layers=[layer])
    assert (settings.planner.horizon, settings.planner.rollouts) == (21, 20)
    assert ParameterFile.read(layer.write(tmp_path / "written.yaml")).blocks == layer.blocks


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("absent.yaml", "absent.yaml could not be read"),
        ("{horizon: 21", "overrides '{horizon: 21' is not valid YAML"),
        ("- 1\n- 2", "must map parameters to values"),
        ("{horizont: 21}", "no node has a parameter horizont; did you mean horizon?"),
    ],
)
def test_bad_overrides_are_refused(text: str, message: str) -> None:
    with pytest.raises(PoloError, match=message):
        settings_for("cartpole_swingup", layers=[ParameterFile.parse_overrides(text)])
