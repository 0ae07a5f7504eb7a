"""`polo weights push` and `pull` through the real client: what arrives, and one sentence for each failure."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from polo_ros.cli import main
from test.support.hub_server import HubServer
from test.support.refusals import refusal
from test.unit.sharing.conftest import Runs

pytestmark = pytest.mark.usefixtures("no_film_strips")


def push(runs: Runs) -> int:
    return main(
        ["weights", "push", "me/cartpole", "--weights", str(runs.weights), "--config", str(runs.config)]
    )


def pull(out: Path, *options: str) -> int:
    return main(["weights", "pull", "me/cartpole", "--out", str(out), *options])


def test_what_is_pushed_is_pulled(runs: Runs, hub: HubServer, tmp_path: Path) -> None:
    assert push(runs) == 0
    assert sorted(hub.files) == ["README.md", "weights.safetensors"]
    out = tmp_path / "new" / "cartpole.safetensors"
    assert pull(out) == 0
    assert out.read_bytes() == runs.weights.read_bytes()
    assert [file.name for file in out.parent.iterdir()] == [out.name]


def test_an_existing_file_stays(
    runs: Runs, hub: HubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mine.safetensors"
    out.write_text("mine")
    assert pull(out) == 1
    assert "exists" in refusal(capsys)
    assert out.read_text() == "mine" and hub.requests == []


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        (lambda content: b"no weights at all", [], "the weights of me/cartpole"),
        (lambda content: content[: len(content) // 2], [], "the weights of me/cartpole"),
        (
            lambda content: content.replace(b"cartpole_swingup", b"/tmp/evil_one.py"),
            [],
            "is not among `polo tasks`",
        ),
        (
            lambda content: content,
            ["--task", "pointmass_box"],
            "are of task cartpole_swingup, not pointmass_box",
        ),
        (lambda content: content.replace(b'"polo_ros/1"', b'"polo_ros/9"'), [], "have format 'polo_ros/9'"),
    ],
)
def test_what_does_not_fit_gets_no_name(
    change: Callable[[bytes], bytes],
    options: list[str],
    said: str,
    runs: Runs,
    hub: HubServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    content = runs.weights.read_bytes()
    hub.files["weights.safetensors"] = change(content)
    assert pull(tmp_path / "out.safetensors", *options) == 1
    assert said in refusal(capsys)
    assert list(tmp_path.iterdir()) == []


def test_weights_of_another_model_are_refused_by_hash(
    hub: HubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from polo_ros.files import share_path

    hub.files["weights.safetensors"] = share_path("models", "humanoid_getup.safetensors").read_bytes()
    assert pull(tmp_path / "out.safetensors", "-p", "torque_scale:=0.5") == 1
    assert "are of another model" in refusal(capsys)
    assert list(tmp_path.iterdir()) == []


def test_a_huge_file_is_not_downloaded(
    hub: HubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.files["weights.safetensors"], hub.claimed = b"x", 1 << 40
    assert pull(tmp_path / "out.safetensors") == 1
    assert "weights have at most" in refusal(capsys)
    assert not [request for request in hub.requests if request.startswith("GET")]


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        (404, "RepoNotFound", "has no such repository, or it is private"),
        (401, "RepoNotFound", "has no such repository, or it is private"),
        (401, "", "log in with"),
        (403, "GatedRepo", "grants access on request"),
        (403, "", "you have no permission"),
        (404, "RevisionNotFound", "it has no such revision"),
        (400, "", "says: "),
    ],
)
@pytest.mark.parametrize("direction", ["push", "pull"])
def test_each_refusal_of_the_hub_is_one_sentence(
    direction: str,
    status: int,
    error: str,
    said: str,
    runs: Runs,
    hub: HubServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    hub.status, hub.error = status, error
    assert (push(runs) if direction == "push" else pull(tmp_path / "out.safetensors")) == 1
    line = refusal(capsys)
    assert said in line and "me/cartpole" in line
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_named(hub: HubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pull(tmp_path / "out.safetensors") == 1
    assert "it has no such file" in refusal(capsys)


def test_a_name_that_is_none_is_refused(hub: HubServer, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("cartpole", "me/..", "a/b/c", "me/--x--"):
        assert main(["weights", "pull", name]) == 1
        assert "name it as owner/name" in refusal(capsys)
    assert hub.requests == []


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.mark.parametrize("offline", ["HF_HUB_OFFLINE=1", "HF_ENDPOINT=http://127.0.0.1:{port}"])
def test_offline_is_one_sentence(offline: str, tmp_path: Path) -> None:
    """In a process of its own: the client reads the environment when it is imported."""
    name, _, value = offline.format(port=closed_port()).partition("=")
    environment = os.environ | {name: value, "HF_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "polo_ros", "weights", "pull", "me/cartpole", "--out", str(tmp_path / "out")],
        env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "cannot be reached; go online" in line


def test_without_the_extra_the_message_names_it(
    runs: Runs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert pull(tmp_path / "out.safetensors") == 1
    assert "pip install 'polo_ros[hub]'" in refusal(capsys)
    # the card needs no client
    out = ["--out", str(tmp_path / "card"), "--config", str(runs.config)]
    assert main(["weights", "card", "me/cartpole", "--weights", str(runs.weights), *out]) == 0
