"""Changed parameters as a file."""

import yaml

from polo_ros.parameters.changes import changes, changes_file
from polo_ros.parameters.yaml_files import ParameterFile
from polo_ros.tasks.cartpole_swingup import CartpoleSwingup

LAYER = ParameterFile("file", {"/**/planner_node": {"horizon": 50, "seed": 3, "reward.upright": 2}})


def test_only_dynamic_parameters_that_differ_are_kept() -> None:
    running = {"horizon": 40, "rollouts": 30, "seed": 4, "reward.upright": 2.0, "temperature": 0.7}
    found = changes([LAYER], "/robot/planner_node", "planner_node", CartpoleSwingup, running)
    assert found == {"horizon": 40, "temperature": 0.7}


def test_the_file_is_one_that_the_nodes_read(tmp_path) -> None:  # type: ignore[no-untyped-def]
    content = changes_file({"planner_node": {"horizon": 40}, "learner_node": {}})
    (tmp_path / "changed.yaml").write_bytes(content)
    layer = ParameterFile.read(tmp_path / "changed.yaml")
    assert layer.values("/any/planner_node") == {"horizon": 40}
    assert layer.values("/any/learner_node") == {}
    assert yaml.safe_load(changes_file({})) == {}
