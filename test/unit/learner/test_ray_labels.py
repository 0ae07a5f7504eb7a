"""Workers on a real Ray of this machine: the death of one, and what is said where Ray cannot be used."""

import ast
import dataclasses
import os
import re
import time
from pathlib import Path

import pytest
from background_learners import DEADLINE
from label_links import SilentLink
from learners import CONFIG, assert_same, experience

from polo_ros.errors import PoloError
from polo_ros.learner import label_link, remote_labels
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
REMOTE = dataclasses.replace(
    CONFIG, labels="ray", labels_workers=2, labels_batch=4, target_states=16, label_capacity=60
)
# a worker that labels one batch for longer counts as hung, in s
OVERDUE_S = 1.0
# a task that fails on a worker in the middle of a batch, once, as the name of a file beside it says
FAULTY = """
import os, signal
from pathlib import Path
from polo_ros.tasks.cartpole_swingup import CartpoleSwingup

class Faulty(CartpoleSwingup):
    name = "faulty"

    def reward_terms(self, view):
        here = os.getpid() == int(Path(__file__).with_name("learner").read_text())
        for fault in () if here else ("SIGKILL", "SIGSTOP", "error"):
            try:
                Path(__file__).with_name(fault).unlink()
            except FileNotFoundError:
                continue
            if fault == "error":
                raise RuntimeError("a bug")
            os.kill(os.getpid(), signal.Signals[fault])
        return super().reward_terms(view)
"""
# what the learner says of each; in this order nothing waits for a worker to start anew
SENTENCES = {
    "error": r"batch \d+ of labels failed on a worker \(a bug\); it is labelled in this process",
    "SIGKILL": r"a worker on \S+ was lost \(The actor died.*; batches labelled again: \d",
    "SIGSTOP": r"a worker on \S+ was lost \(it has labelled one batch for 1 s\); batches labelled again",
}


def wait_for_message(link: RayLink) -> object:
    """The first message of a link."""
    until = time.monotonic() + DEADLINE
    while (message := link.receive(0.1)) is None:
        assert time.monotonic() < until
    return message


def test_batches_are_labelled_once_whatever_becomes_of_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "faulty.py").write_text(FAULTY)
    (tmp_path / "learner").write_text(str(os.getpid()))
    task, said = make_task(str(tmp_path / "faulty.py")), list[str]()
    driver = f"import polo_ros.learner.ray_driver as driver; driver.OVERDUE_S = {OVERDUE_S}; driver.main()"
    monkeypatch.setattr(label_link, "DRIVER", driver)
    remote, pool = make_learner(task, said)
    remote.update()
    wait_for_workers(pool, 2)
    remote.settle()
    for fault, sentence in SENTENCES.items():
        wait_for_workers(pool, 1)
        (tmp_path / fault).touch()
        remote.update()
        remote.settle()
        assert not (tmp_path / fault).exists()
        assert any(re.search(sentence, each) for each in said), said
    remote.close()
    assert (remote.sequence, remote.labels.added) == (4, 64)
    # as without any worker
    monkeypatch.setattr(remote_labels, "RayLink", lambda start: SilentLink(start, workers=0))
    alone, _ = make_learner(task, said)
    for _ in range(4):
        alone.update()
        alone.settle()
    assert_same(remote, alone, tmp_path)


def wait_for_workers(pool: RemotePool, count: int) -> None:
    """Wait until so many workers can label."""
    until = time.monotonic() + DEADLINE
    while pool.workers < count:
        pool._receive(0.1)
        assert time.monotonic() < until


def make_learner(task: Task, said: list[str]) -> tuple[Learner, RemotePool]:
    """A learner with experience, and its pool; sentences go to `said`."""
    learner = Learner(task, REMOTE, 0, 1, Log(said.append, said.append))
    learner.add(*experience(task, 40))
    assert isinstance(learner._pool, RemotePool)
    return learner, learner._pool


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
    beyond = {"ray", "polo_ros.learner.ray_cluster", "polo_ros.learner.ray_driver"}
    importing = set()
    for file in (ROOT / "polo_ros" / "learner").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
            if isinstance(node, ast.ImportFrom):
                names = {str(node.module)}
            if beyond & names:
                importing.add(file.name)
    assert importing == {"ray_cluster.py", "ray_driver.py"}
