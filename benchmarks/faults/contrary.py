"""The planner behind a contrary driver: cart-pole and humanoid through each of its options.

    python -m benchmarks.faults.contrary --seeds 0 1 2

The cart-pole begins upright and must balance for 4 s; the humanoid begins standing and must stand for 2 s.
The driver holds the robot until the planner commands. Simulated time is paced by the plans, one a control
period (see `contrary_driver`), so that the rows do not depend on how busy the machine is; therefore
`safety.silence_timeout`, which counts wall time, is 10 s. With `--realtime-factors` it passes by the wall
clock instead.
`achieved` is the share of control periods in which the task's own criterion held, `safe` the share of the
planner's control ticks with the safe action, and `said` every reason that it gave on /diagnostics.
"""

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray

from benchmarks.faults.rows import RESULTS, Rows
from benchmarks.faults.support import Graph, run_folder
from polo_ros.files import share_path

COLUMNS = ("robot", "case", "options", "seed", "achieved", "longest_s", "safe", "plans", "outcome", "said")
ROBOTS = {"cart-pole": "cartpole_swingup", "humanoid": "humanoid_getup"}
SECONDS = {"cart-pole": 4.0, "humanoid": 2.0}
CONFIGS = {"cart-pole": "cartpole_swingup.yaml", "humanoid": "humanoid_getup_realtime.yaml"}
# the share of control periods in which the task must be achieved for "balances" or "stands"
ENOUGH = 0.9
# a share of safe ticks that is more than the first ones, before any plan
SAFE_SHARE = 0.02
TIMEOUT_S = 200.0

# name: driver's options, planner's parameters; durations in s
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": ("", {}),
    "shuffled joints": ("--shuffle", {}),
    "3 extra joints": ("--extra-joints 3", {}),
    "best effort": ("--best-effort", {}),
    "50 Hz": ("--rate 50", {}),
    "200 Hz": ("--rate 200", {}),
    "1000 Hz": ("--rate 1000", {}),
    "jitter up to 10 ms": ("--jitter 0.01", {}),
    "10 % dropped": ("--drop 0.1", {}),
    "30 % dropped": ("--drop 0.3", {}),
    "8 ms late": ("--delay 0.008", {}),
    "24 ms late": ("--delay 0.024", {}),
    "odom 16 ms behind": ("--odom-delay 0.016", {}),
    "half of all doubled": ("--double 0.5", {}),
    "twist in the world, told": ("--world-twist", {"odom_twist_frame": "world"}),
    "twist in the world, not told": ("--world-twist", {}),
    "odom missing for 0.05 s": ("--gap 0.05", {}),
    "odom missing for 0.5 s": ("--gap 0.5", {}),
    "joint_states missing for 0.05 s": ("--gap 0.05 --gap-topic joint_states", {}),
    "joint_states missing for 0.5 s": ("--gap 0.5 --gap-topic joint_states", {}),
    "stamps 20 ms behind the clock": ("--clock-offset -0.02", {}),
    "stamps 20 ms ahead of the clock": ("--clock-offset 0.02", {}),
    "stamps 1 s behind the clock": ("--clock-offset -1.0", {}),
    "stamps 1 s ahead of the clock": ("--clock-offset 1.0", {}),
    "stamps stand still for 0.5 s": ("--stop-stamps 0.5", {}),
    "time jumps back by 2 s": ("--jump-back 2.0", {}),
    "noise of 0.005": ("--noise 0.005", {}),
    "noise of 0.05": ("--noise 0.05", {}),
    "commands 10 ms late": ("--command-delay 0.01", {}),
    "commands 40 ms late": ("--command-delay 0.04", {}),
    "commands 40 ms late, told": ("--command-delay 0.04", {"command_delay": 0.04}),
}  # fmt: skip
WITHOUT_ODOM = {"cart-pole"}


def main() -> int:
    """Run every case that the file does not hold yet and print what each comes to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--robots", nargs="+", choices=list(ROBOTS), default=list(ROBOTS))
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--realtime-factors", type=float, nargs=2, default=[0.0, 0.0])
    parser.add_argument("--out", type=Path, default=RESULTS / "contrary_driver.csv")
    options = parser.parse_args()
    rows = Rows(options.out, COLUMNS)
    known = {
        (row["robot"], row["case"], int(row["seed"])) for row in rows.known if row["outcome"] != "unfinished"
    }
    factors = dict(zip(ROBOTS, options.realtime_factors, strict=True))
    for seed in options.seeds:
        for robot in options.robots:
            for case in options.cases:
                odometry = "odom" in case or "twist" in case
                if (robot, case, seed) in known or (robot in WITHOUT_ODOM and odometry):
                    continue
                row = run(robot, case, seed, factors[robot])
                rows.append(**row)
                print(*(f"{key}={value}" for key, value in row.items()), flush=True)
    summarise(options.out)
    return 0


def run(robot: str, case: str, seed: int, factor: float) -> dict[str, object]:
    """One run as a row."""
    folder = run_folder("contrary")
    report = folder / "report.json"
    report.unlink(missing_ok=True)
    texts: Counter[str] = Counter()
    driver_options, parameters = CASES[case]
    with Graph(folder) as graph:

        def note(message: DiagnosticArray) -> None:
            for status in message.status:
                if status.name == "planner_node":
                    texts[kind_of(status.message)] += 1

        graph.node.create_subscription(DiagnosticArray, "/diagnostics", note, 10)
        config = share_path("config", CONFIGS[robot])
        graph.start(
            "planner_node", config=config, lockstep=False, use_sim_time=True, autostart=True, threads=1,
            seed=seed, safety__silence_timeout=10.0, **parameters,
        )  # fmt: skip
        graph.wait(lambda: "planner_node" in graph.statuses, "the planner")
        command = [sys.executable, "-m", "benchmarks.faults.contrary_driver", "--task", ROBOTS[robot]]
        command += ["--seed", str(seed), "--seconds", str(SECONDS[robot])]
        command += ["--realtime-factor", str(factor), "--report", str(report), *driver_options.split()]
        graph.run("driver", command)
        until = time.monotonic() + TIMEOUT_S
        while graph.children["driver"].poll() is None and time.monotonic() < until:
            graph.spin_once(0.05)
            assert graph.children["planner_node"].poll() is None, graph.log("planner_node")
        ticks, safe = (graph.reported("planner_node", key) for key in ("control_ticks", "safe_ticks"))
        plans = graph.reported("planner_node", "plans")
        if graph.children["driver"].poll() is None:  # nothing was ever commanded
            graph.kill("driver")
    return judge(robot, case, seed, report, safe / max(ticks, 1), plans, texts)


def judge(
    robot: str, case: str, seed: int, report: Path, safe: float, plans: int, texts: Counter[str]
) -> dict[str, object]:
    """What a run comes to, as a row; "unfinished" where the machine was too busy for it."""
    usual = ("no plan yet", "no message yet")  # at every start
    reasons = [
        text for text in texts if text.startswith("safe action") and not any(word in text for word in usual)
    ]
    achieved, longest = float("nan"), 0.0
    told = json.loads(report.read_text()) if report.exists() else {"released": False}
    if not report.exists():
        outcome = "unfinished"
    elif not told["released"]:
        outcome = (
            "never moved, said why" if reasons or any("joint" in text for text in texts) else "never moved"
        )
    else:
        held = np.array(told["achieved"], bool)
        achieved = float(held.mean())
        longest = longest_run(held) * SECONDS[robot] / len(held)
        if achieved >= ENOUGH:
            outcome = "balances" if robot == "cart-pole" else "stands"
        elif safe > SAFE_SHARE and reasons:
            outcome = "goes safe, said why"
        else:
            outcome = "misses the limit"
    return {
        "robot": robot, "case": case, "options": CASES[case][0], "seed": seed, "achieved": f"{achieved:.3f}",
        "longest_s": f"{longest:.2f}", "safe": f"{safe:.3f}", "plans": plans, "outcome": outcome,
        "said": " | ".join(sorted(text for text in texts if text != "planning")),
    }  # fmt: skip


def kind_of(text: str) -> str:
    """A status without its figures."""
    return "".join("#" if character.isdigit() else character for character in text)


def longest_run(held: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> int:
    """The most true values in succession."""
    best = current = 0
    for value in held:
        current = current + 1 if value else 0
        best = max(best, current)
    return best


def summarise(path: Path) -> None:
    """Print the outcomes of each robot and case."""
    rows = Rows(path, COLUMNS).known
    for key in dict.fromkeys((row["robot"], row["case"]) for row in rows):
        chosen = [row for row in rows if (row["robot"], row["case"]) == key]
        achieved = [float(row["achieved"]) for row in chosen]
        outcomes = Counter(row["outcome"] for row in chosen)
        told = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
        print(f"{key[0]}, {key[1]}: {told}; achieved {min(achieved):.2f} to {max(achieved):.2f}")


if __name__ == "__main__":
    sys.exit(main())
