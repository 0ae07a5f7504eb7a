"""What keeps a simulated robot on this machine, and whose settings hold."""

import pytest

from polo_ros.files import share_path
from polo_ros.nodes.locality import (
    DISCOVERY_RANGE,
    PROFILES,
    local_environment,
    profile_variable,
    stay_local,
)

PROFILE = str(share_path("config", "security", "localhost.xml"))
OURS = {profile_variable({}): PROFILE}
LOCAL = {DISCOVERY_RANGE: "LOCALHOST"}


@pytest.mark.parametrize(
    ("given", "chosen", "said"),
    [
        ({}, LOCAL | OURS, ""),
        ({DISCOVERY_RANGE: "LOCALHOST"}, LOCAL | OURS, ""),
        (LOCAL | OURS, LOCAL | OURS, ""),  # a child of a process that has set them
        (LOCAL | {"ROS_DISTRO": "jazzy"}, LOCAL | {PROFILES[1]: PROFILE}, ""),
        (LOCAL | {"ROS_DISTRO": "kilted"}, LOCAL | {PROFILES[0]: PROFILE}, ""),
        (LOCAL | {"ROS_DISTRO": "lyrical"}, LOCAL | {PROFILES[0]: PROFILE}, ""),
        ({"RMW_IMPLEMENTATION": "rmw_fastrtps_cpp"}, LOCAL | OURS, ""),
        ({"RMW_IMPLEMENTATION": "", PROFILES[0]: ""}, LOCAL | OURS, ""),
        ({DISCOVERY_RANGE: "SUBNET"}, {}, f"DDS follows your {DISCOVERY_RANGE}: other machines may reach"),
        ({"ROS_STATIC_PEERS": "10.0.0.2"}, {}, "DDS follows your ROS_STATIC_PEERS: other machines may"),
        ({"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"}, LOCAL, "rmw_cyclonedds_cpp chooses its ports itself"),
        ({PROFILES[0]: "mine.xml"}, LOCAL, f"Fast DDS follows your {PROFILES[0]}, not the package's"),
        ({PROFILES[1]: "mine.xml"}, LOCAL, f"Fast DDS follows your {PROFILES[1]}, not the package's"),
    ],
)
def test_the_users_settings_hold_and_are_named(
    given: dict[str, str], chosen: dict[str, str], said: str
) -> None:
    found, sentence = local_environment(given)
    assert found == chosen
    assert sentence.startswith(said) if said else not sentence


def test_a_process_takes_the_settings_over_and_prints_whose_hold(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = {DISCOVERY_RANGE: "LOCALHOST"}
    monkeypatch.setattr("os.environ", environment)
    stay_local()
    assert environment == LOCAL | OURS and capsys.readouterr().err == ""
    environment[PROFILES[0]] = "mine.xml"
    stay_local()
    assert environment[PROFILES[0]] == "mine.xml"
    assert capsys.readouterr().err.count("\n") == 1
