"""Settings of quick training runs."""

import pytest
from training_runs import FAST

from polo_ros.parameters.settings import Settings, settings_for


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    path = tmp_path_factory.mktemp("config") / "fast.yaml"
    path.write_text(FAST)
    return settings_for("cartpole_swingup", path)
