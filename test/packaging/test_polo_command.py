"""The command `polo` as a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from polo_ros.cli import main

FAST = [
    "horizon:=16", "rollouts:=8", "gradient_steps:=4", "target_states:=4", "warmup_labels:=1",
    "target_horizon:=8", "target_rollouts:=6", "target_iterations:=1", "ensemble_size:=2",
]  # fmt: skip
OPTIONS = [word for setting in FAST for word in ("-p", setting)]
TRAIN = ["train", "cartpole_swingup", *OPTIONS, "--episode", "16"]
# the console script `polo` calls this function
POLO = [sys.executable, "-c", "import sys; from polo_ros.cli import main; sys.exit(main())"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that `polo train` has filled."""
    out = tmp_path_factory.mktemp("trained")
    assert main([*TRAIN, "--steps", "16", "--out", str(out)]) == 0
    return out


def test_listing_tasks_imports_neither_torch_nor_matplotlib() -> None:
    code = "import sys; from polo_ros.cli import main; main(['tasks']); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = done.stdout.splitlines()[-1]
    assert "'mujoco'" in modules
    assert not any(f"'{name}'" in modules for name in ("torch", "matplotlib", "scipy", "pandas"))


def test_reproduce_passes_its_arguments_on_from_any_folder(tmp_path: Path) -> None:
    bad = subprocess.run(
        [*POLO, "reproduce", "nothing"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert bad.returncode == 1 and bad.stderr.startswith("polo: there is nothing to reproduce named")


def test_polo_runs_as_a_program(tmp_path: Path) -> None:
    good = subprocess.run([*POLO, "tasks"], capture_output=True, text=True, timeout=60, check=True)
    assert "cartpole_swingup" in good.stdout
    bad = subprocess.run(
        [*POLO, "train", "juggling"], capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
    )
    assert bad.returncode == 1
    assert bad.stderr.startswith("polo: there is no task 'juggling'") and bad.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["tasks", "parameters"])
def test_a_reader_that_ends_early_is_no_error(command: str) -> None:
    child = subprocess.Popen([*POLO, command], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert child.stdout is not None and child.stderr is not None
    child.stdout.close()  # as `head` does once it has its lines
    assert (child.stderr.read(), child.wait(60)) == (b"", 141)
    child.stderr.close()


def test_full_disk_ends_training_with_a_sentence_and_the_old_checkpoint(
    trained: Path, tmp_path: Path
) -> None:
    names = ("checkpoint.safetensors", "metrics.csv", "weights.safetensors")
    for name in names:
        (tmp_path / name).write_bytes((trained / name).read_bytes())
    # the kernel lets no file grow beyond 8 KiB: metrics fit, a checkpoint does not
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192)); "
    done = subprocess.run(
        [*POLO[:2], limited + POLO[2], *TRAIN, "--steps", "32", "--resume", "--out", str(tmp_path)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    path = tmp_path / "checkpoint.safetensors"
    assert done.stderr.splitlines()[-1] == (
        f"polo: {path} could not be written (File too large); the previous file is untouched"
    )
    assert path.read_bytes() == (trained / "checkpoint.safetensors").read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(names)
    assert main([*TRAIN, "--steps", "32", "--resume", "--out", str(tmp_path)]) == 0
