"""Real runs of `ros2 launch`."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from launching import Listener, end_cleanly, interrupt, launched, needs_ros2, wait_for_child
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from workspace import LAUNCH_ARGUMENTS, SOURCE

from polo_ros.nodes.locality import DISCOVERY_RANGE
from polo_ros.tasks import task_classes


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    made = Listener()
    yield made
    made.close()


@needs_ros2
def test_show_args_is_the_manual(environment: dict[str, str]) -> None:
    shown = subprocess.run(
        ["ros2", "launch", "polo_ros", "cartpole_swingup.launch.py", "--show-args"],
        env=environment, capture_output=True, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip
    assert all(f"'{name}':" in shown for name in LAUNCH_ARGUMENTS)


@needs_ros2
def test_the_simulation_runs_and_ends_cleanly(
    environment: dict[str, str], listener: Listener, tmp_path: Path
) -> None:
    stamps: set[tuple[int, int]] = set()
    listener.node.create_subscription(
        JointState, "joint_states", lambda m: stamps.add((m.header.stamp.sec, m.header.stamp.nanosec)), 10
    )
    with launched(environment, tmp_path) as launch:
        # in lockstep, time passes only under the planner's commands
        listener.wait(lambda: len(stamps) > 10, launch)
        names = ["task", "use_sim_time", "lockstep", "autostart", "rollouts"]
        expected = ["cartpole_swingup", True, True, True, 20]
        assert listener.parameters("planner_node", names, launch) == expected
        assert listener.parameters("simulator_node", names[:3], launch) == expected[:3]
        assert listener.parameters("learner_node", names[:2], launch) == expected[:2]
        output = end_cleanly(launch)
    assert output.count("process has finished cleanly") == 3, output


@needs_ros2
def test_a_fleet_learns_from_all_its_robots(
    environment: dict[str, str], listener: Listener, tmp_path: Path
) -> None:
    epochs: dict[str, str] = {}

    def note(message: DiagnosticArray) -> None:
        for status in message.status:
            values = {pair.key: pair.value for pair in status.values}
            epochs[status.name] = values.get("weights_epoch", "")

    listener.node.create_subscription(DiagnosticArray, "/diagnostics", note, 10)
    small = "overrides:={warmup_labels: 1, target_states: 2, seed: 7}"
    with launched(environment, tmp_path, "robots:=2", small, task="fleet") as launch:
        planners = ["robot1/planner_node", "robot2/planner_node"]

        def agree() -> bool:
            known = [epochs.get(planner) for planner in planners]
            return bool(known[0]) and known[0] == known[1]

        listener.wait(agree, launch)
        seeds = [listener.parameters(f"/{node}", ["seed"], launch) for node in (*planners, "learner_node")]
        assert seeds == [[7], [1007], [7]]
        output = end_cleanly(launch)
    assert output.count("process has finished cleanly") == 5, output


@needs_ros2
@pytest.mark.parametrize("task", task_classes())
def test_every_task_launches(
    task: str, environment: dict[str, str], listener: Listener, tmp_path: Path
) -> None:
    stamps: set[tuple[int, int]] = set()
    listener.node.create_subscription(
        JointState, "joint_states", lambda m: stamps.add((m.header.stamp.sec, m.header.stamp.nanosec)), 10
    )
    with launched(environment, tmp_path, task=task) as launch:
        listener.wait(lambda: len(stamps) > 10, launch)
        assert listener.parameters("planner_node", ["task"], launch) == [task]
        end_cleanly(launch)


@needs_ros2
def test_a_file_of_the_users_own_launches(
    environment: dict[str, str], listener: Listener, tmp_path: Path
) -> None:
    own = SOURCE / "examples" / "my_task.py"
    with launched(environment, tmp_path, f"task:={own}", task="polo") as launch:
        assert listener.parameters("planner_node", ["task"], launch) == [str(own)]
        assert listener.parameters("simulator_node", ["task"], launch) == [str(own)]
        end_cleanly(launch)


@needs_ros2
@pytest.mark.parametrize(("given", "expected"), [([], "LOCALHOST"), (["localhost:=false"], None)])
def test_nodes_stay_on_this_machine_while_simulating(
    environment: dict[str, str], listener: Listener, tmp_path: Path, given: list[str], expected: str | None
) -> None:
    outside = {name: value for name, value in environment.items() if name != DISCOVERY_RANGE}
    with launched(outside, tmp_path, *given) as launch:
        node = wait_for_child(launch, "planner_node")
        lines = Path(f"/proc/{node}/environ").read_text().split("\0")
        found = dict(line.split("=", 1) for line in lines if line)
        assert found.get(DISCOVERY_RANGE) == expected
        # launch never ends where it is interrupted before it has started all nodes
        for name in ("planner_node", "learner_node", "simulator_node"):
            listener.parameters(name, ["task"], launch)
        end_cleanly(launch)


@needs_ros2
def test_hardware_starts_disabled_and_arguments_beat_the_parameter_file(
    environment: dict[str, str], listener: Listener, tmp_path: Path
) -> None:
    params_file = tmp_path / "own.yaml"
    params_file.write_text(
        "robot1:\n  planner_node:\n    ros__parameters:\n"
        "      {control_rate: 50.0, rollouts: 17, autostart: true, model_path: nowhere.xml}\n"
    )
    model = str(SOURCE / "models" / "cartpole.xml")
    with launched(
        environment, tmp_path, "use_sim:=false", "learn:=false", "namespace:=robot1",
        f"params_file:={params_file}", f"model_path:={model}",
    ) as launch:  # fmt: skip
        names = ["rollouts", "model_path", "autostart", "lockstep", "use_sim_time"]
        expected = [17, model, False, False, False]
        assert listener.parameters("robot1/planner_node", names, launch) == expected
        nodes = {name for name, space in listener.node.get_node_names_and_namespaces() if space == "/robot1"}
        end_cleanly(launch)
    assert nodes == {"planner_node"}


@needs_ros2
def test_the_clock_follows_the_namespace(
    environment: dict[str, str], listener: Listener, tmp_path: Path
) -> None:
    times: list[int] = []
    listener.node.create_subscription(Clock, "/robot1/clock", lambda m: times.append(m.clock.nanosec), 10)
    with launched(environment, tmp_path, "namespace:=robot1", "learn:=false", "lockstep:=false") as launch:
        listener.wait(lambda: len(times) > 10, launch)
        assert not listener.node.count_publishers("/clock")
        readers = listener.node.get_subscriptions_info_by_topic
        listener.wait(lambda: "planner_node" in {r.node_name for r in readers("/robot1/clock")}, launch)
        interrupt(launch)


@needs_ros2
def test_an_empty_argument_leaves_the_parameter_files_value(
    environment: dict[str, str], listener: Listener, tmp_path: Path
) -> None:
    model = str(SOURCE / "models" / "cartpole.xml")
    params_file = tmp_path / "own.yaml"
    params_file.write_text(
        "/**:\n  ros__parameters: {control_rate: 50.0}\n"
        f"/**/planner_node:\n  ros__parameters: {{model_path: {model}}}\n"
    )
    with launched(
        environment, tmp_path, "use_sim:=false", "learn:=false", f"params_file:={params_file}"
    ) as launch:
        assert listener.parameters("planner_node", ["model_path"], launch) == [model]
        interrupt(launch)


@needs_ros2
def test_a_choice_that_there_is_not_is_refused(environment: dict[str, str], tmp_path: Path) -> None:
    refused = subprocess.run(
        ["ros2", "launch", "polo_ros", "cartpole_swingup.launch.py", "use_sim:=maybe"],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert refused.returncode != 0
    assert 'Argument "use_sim" provided value "maybe" is not valid' in refused.stderr + refused.stdout


@needs_ros2
def test_overrides_and_seed_are_layered_over_the_tasks_file(
    environment: dict[str, str], listener: Listener, tmp_path: Path
) -> None:
    with launched(
        environment, tmp_path, "overrides:={horizon: 20, safety: {ramp_time: 1}, lockstep: false}", "seed:=7"
    ) as launch:
        names = ["horizon", "safety.ramp_time", "seed", "lockstep", "rollouts", "noise_sigma"]
        assert listener.parameters("planner_node", names, launch) == [20, 1.0, 7, False, 20, 0.5]
        assert listener.parameters("simulator_node", names[2:4], launch) == [7, False]
        assert listener.parameters("learner_node", names[2:3], launch) == [7]
        interrupt(launch)


@needs_ros2
def test_a_misspelt_parameter_ends_the_launch_with_its_sentence(
    environment: dict[str, str], tmp_path: Path
) -> None:
    ended = subprocess.run(
        ["ros2", "launch", "polo_ros", "cartpole_swingup.launch.py", "overrides:={horizont: 20}"],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert ended.returncode != 0
    said = ended.stderr + ended.stdout
    assert re.search(
        "_node has ended, so everything stops: .*has a parameter horizont; did you mean", said
    ), said
    assert "Traceback" not in said


@needs_ros2
def test_what_param_dump_writes_of_a_running_graph_starts_the_same_graph(
    environment: dict[str, str], listener: Listener, tmp_path: Path
) -> None:
    names = ["horizon", "reward.upright", "safety.ramp_time", "lockstep", "seed", "joints"]
    dump = tmp_path / "dump.yaml"
    with launched(
        environment, tmp_path, "overrides:={horizon: 21, safety.ramp_time: 0.5}", "seed:=5"
    ) as launch:
        before = listener.parameters("planner_node", names, launch)
        for node in ("planner_node", "learner_node", "simulator_node"):
            listener.parameters(node, ["task"], launch)
            written = subprocess.run(
                ["ros2", "param", "dump", f"/{node}"],
                env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True,
            ).stdout  # fmt: skip
            assert f"/{node}:" in written
            dump.write_text((dump.read_text() if dump.exists() else "") + written)
        interrupt(launch)
    with launched(environment, tmp_path, f"params_file:={dump}") as launch:
        assert listener.parameters("planner_node", names, launch) == before
        listener.parameters("learner_node", ["task"], launch)
        listener.parameters("simulator_node", ["task"], launch)
        end_cleanly(launch)
