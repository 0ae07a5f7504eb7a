"""Workers on a real Ray of this machine: the death of one, and what is said where Ray cannot be used."""

import ast
import dataclasses
import time
from pathlib import Path

import pytest
from background_learners import DEADLINE
from label_links import SilentLink
from learners import CONFIG, assert_same, experience

from polo_ros.errors import PoloError
from polo_ros.learner import remote_labels
from polo_ros.learner.label_link import Ended, RayLink, Start
from polo_ros.learner.label_worker import LabelWorker, WorkerSettings
from polo_ros.learner.learner import Learner
from polo_ros.learner.ports import Log
from polo_ros.learner.remote_labels import RemotePool
from polo_ros.tasks import Task, make_task
from polo_ros.tasks.cartpole_swingup import CartpoleSwingup
from polo_ros.tasks.recipe import TaskRecipe

pytest.importorskip("ray")

ROOT = Path(__file__).resolve().parents[3]
REMOTE = dataclasses.replace(CONFIG, labels="ray", labels_workers=2, target_states=16, label_capacity=60)
# a task whose first evaluation after a file appears kills the process in the middle of a batch
DEADLY = """
import os, signal
from pathlib import Path
from polo_ros.tasks.cartpole_swingup import CartpoleSwingup

class Deadly(CartpoleSwingup):
    name = "deadly"

    def reward_terms(self, view):
        try:
            Path(__file__).with_name("kill").unlink()
        except FileNotFoundError:
            return super().reward_terms(view)
        os.kill(os.getpid(), signal.SIGKILL)
"""


def wait_for_message(link: RayLink) -> object:
    """The first message of a link."""
    until = time.monotonic() + DEADLINE
    while (message := link.receive(0.1)) is None:
        assert time.monotonic() < until
    return message


def test_batches_of_a_killed_worker_are_labelled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deadly.py").write_text(DEADLY)
    task, said = make_task(str(tmp_path / "deadly.py")), list[str]()
    remote = Learner(task, REMOTE, 0, 1, Log(said.append, said.append))
    remote.add(*experience(task, 40))
    remote.update()
    pool = remote._pool
    assert isinstance(pool, RemotePool)
    until = time.monotonic() + DEADLINE
    while pool.workers < 2:
        pool._receive(0.1)
        assert time.monotonic() < until
    remote.settle()
    (tmp_path / "kill").touch()
    for _ in range(3):
        remote.update()
    remote.settle()
    remote.close()
    assert not (tmp_path / "kill").exists()
    assert [sentence for sentence in said if "lost" in sentence and "labelled again" in sentence], said
    assert (remote.sequence, remote.labels.added) == (4, 64)
    # as without any worker
    monkeypatch.setattr(remote_labels, "RayLink", lambda start: SilentLink(start, workers=0))
    alone = Learner(task, REMOTE, 0, 1, Log(said.append, said.append))
    alone.add(*experience(task, 40))
    alone.update()
    alone.settle()
    for _ in range(3):
        alone.update()
    alone.settle()
    assert_same(remote, alone, tmp_path)


def test_unusable_address_is_said(task: Task) -> None:
    link = RayLink(Start("nonsense", 1, WorkerSettings(TaskRecipe.of(task), REMOTE, 0, 1)))
    message = wait_for_message(link)
    link.close()
    assert isinstance(message, Ended)
    assert message.reason.startswith("Ray at nonsense could not be used")


def test_worker_of_another_version_or_model_says_so(task: Task) -> None:
    settings = WorkerSettings(TaskRecipe.of(task), REMOTE, 0, 1)
    assert LabelWorker(settings).start()[1] == ""
    older = dataclasses.replace(settings, version="0.1")
    assert "not 0.1" in LabelWorker(older).start()[1]
    other = dataclasses.replace(settings, recipe=dataclasses.replace(settings.recipe, model_hash="0" * 16))
    assert "install the same version" in LabelWorker(other).start()[1]


def test_recipe_makes_the_same_task_again(tmp_path: Path) -> None:
    weaker = make_task("quadruped_walk", torque_scale=0.5)
    again = TaskRecipe.of(weaker).make()
    assert type(again) is type(weaker) and again.model_hash() == weaker.model_hash()
    assert again.setup == weaker.setup


def test_recipe_of_a_class_without_a_name_is_refused() -> None:
    class Local(CartpoleSwingup):
        name = "local"

    with pytest.raises(PoloError, match="task local can only be made in this process; register its class"):
        TaskRecipe.of(Local())


def test_ray_is_imported_in_a_process_of_its_own_alone() -> None:
    """It would end the learner's process when the head of its cluster is lost."""
    for file in (ROOT / "polo_ros" / "learner").glob("*.py"):
        tree = ast.walk(ast.parse(file.read_text()))
        names = {alias.name for node in tree if isinstance(node, ast.Import) for alias in node.names}
        assert ("ray" in names) == (file.name == "ray_driver.py"), file.name
