"""A trained and evaluated cart-pole, and a server that stands in for the Hub."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from huggingface_hub import constants

from polo_ros.cli import main
from test.support.hub_server import HubServer, hub_server
from test.support.training_runs import FAST


@dataclass
class Runs:
    """Folders of `polo train` and of `polo evaluate` with and without values, and the parameter file."""

    config: Path
    training: Path
    evaluation: Path
    without: Path

    @property
    def weights(self) -> Path:
        return self.training / "weights.safetensors"


@pytest.fixture(scope="package")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("runs")
    config = folder / "fast.yaml"
    config.write_text(FAST)
    found = Runs(config, folder / "training", folder / "evaluation", folder / "without")
    common = ["cartpole_swingup", "--config", str(config)]
    assert main(["train", *common, "--steps", "40", "--episode", "20", "--out", str(found.training)]) == 0
    evaluate = ["evaluate", *common, "--steps", "10", "--seeds", "2"]
    assert main([*evaluate, "--weights", str(found.weights), "--out", str(found.evaluation)]) == 0
    assert main([*evaluate, "--no-value", "--out", str(found.without)]) == 0
    return found


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """The client talks to a server on this machine; it reads the address when it is imported."""
    with hub_server() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.endpoint)
        template = server.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_IMPLICIT_TOKEN", False)
        monkeypatch.setenv("HF_TOKEN", "hf_test")
        yield server
