"""What larger machines and a fleet would give, computed from the figures of `benchmarks.scale`."""

import math
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from experiments.style import Style, add_caption, add_legend, new_figure
from polo_ros.parameters import markdown
from polo_ros.viewer.figures import BLUE, GREEN, GREY, ORANGE, VERMILION

CORES = (2, 16, 64)
STYLES = {
    "cartpole_swingup": Style("cart-pole", BLUE, "o"),
    "humanoid_getup": Style("humanoid", VERMILION, "s"),
    "quadruped_walk": Style("quadruped", GREEN, "^"),
    "hand_cube": Style("hand and cube", ORANGE, "D"),
}
ROBOTS = 1000
# of a planner that is told to plan with fewer rollouts than this: it has no samples beside knots and elites
FEWEST = 6
# published by mujoco_warp's authors for its humanoid benchmark (27 degrees of freedom, timestep 0.005 s):
# worlds and steps a second of all of them, on an RTX 6000 Pro Blackwell; pull request 1060 of its repository
GPU_WORLDS, GPU_RATE = 8192, 3.97e6
# from the GPU's memory over PCI Express 4.0 with 16 lanes, its nominal B/s
PCI_RATE = 31.5e9
# RTPS, UDP, IP and Ethernet headers of one message with one piece of data, in bytes: 20 + 12 + 24, 8, 20, 18
HEADERS = 102


@dataclass(frozen=True)
class Machine:
    """A task's measured figures on one machine, and what follows for others of as fast cores.

    Attributes:
      frame: the rows of the task.
      measured: the largest number of threads that was measured.
    """

    frame: pd.DataFrame
    measured: int

    def figure(self, quantity: str, threads: int = 0, rollouts: int = 0) -> float:
        """The median of a quantity."""
        rows = self.frame
        rows = rows[(rows.quantity == quantity) & (rows.threads == threads) & (rows.rollouts == rollouts)]
        return float(rows["median"].iloc[0])

    @property
    def sizes(self) -> list[int]:
        """The measured numbers of rollouts, smallest first: the task's own and a large one."""
        return sorted(int(size) for size in self.frame[self.frame.quantity == "plan"].rollouts.unique())

    @property
    def efficiency(self) -> float:
        """The speed-up of rollouts over the threads that gave it, at the largest measured number."""
        many = self.sizes[-1]
        rates = [self.figure("rollout steps", threads, many) for threads in (1, self.measured)]
        return rates[1] / rates[0] / self.measured

    def python(self, rollouts: int, horizon: int) -> float:
        """The time of a plan beside its rollouts, in s: a line through the measured sizes.

        The part that grows does so with the number of states that are judged, rollouts × (horizon + 1).
        """
        few, many = self.sizes
        times = [1e-3 * self.figure("plan beside rollouts", 1, size) for size in (few, many)]
        slope = (times[1] - times[0]) / (many - few)
        states = rollouts * (horizon + 1) / (self.figure("horizon") + 1)
        return max(times[0] + slope * (states - few), 0.0)

    def rollout_time(self, cores: int, rollouts: int, horizon: int) -> float:
        """The time of the rollouts of a plan, in s: each thread has as many as the one with most."""
        steps = horizon * self.figure("physics steps a period") + 1
        alone = self.figure("rollout steps", 1, self.sizes[-1])
        efficiency = 1.0 if cores == 1 else self.efficiency
        return math.ceil(rollouts / cores) * steps / (alone * efficiency)

    def plan(self, cores: int, rollouts: int, horizon: int) -> float:
        """The time of a plan, in s."""
        return self.rollout_time(cores, rollouts, horizon) + self.python(rollouts, horizon)

    def most(self, cores: int, rollouts: int, horizon: int, grows: str) -> int:
        """The most rollouts, or the longest horizon, with a plan in every control period; 0 without one."""
        period, found, step = self.figure("control period"), 0, 1 << 14
        while step:
            trial = found + step
            sizes = (trial, horizon) if grows == "rollouts" else (rollouts, trial)
            found = trial if self.plan(cores, *sizes) <= period else found
            step //= 2
        return found

    @property
    def own(self) -> tuple[int, int]:
        """The task's own rollouts and horizon."""
        return int(self.figure("rollouts")), int(self.figure("horizon"))

    @property
    def labels_a_transition(self) -> float:
        """Labels over transitions, as the task ships."""
        return self.figure("labels an update") / self.figure("transitions an update")

    @property
    def label(self) -> float:
        """Core-seconds of a label."""
        return self.figure("label", 1, int(self.frame[self.frame.quantity == "label"].rollouts.iloc[0]))


def read(file: Path) -> dict[str, Machine]:
    """The figures of each task."""
    frame = pd.read_csv(file, comment="#", keep_default_na=False)
    return {
        str(task): Machine(rows, int(frame.threads.max()))
        for task, rows in frame.groupby("task", sort=False)
        if task
    }


def planning_table(machines: dict[str, Machine]) -> list[str]:
    """Plans a second, rollouts and horizon for each number of cores."""
    head = ("task", "cores", "plans/s as it ships", "Python's share", "most K at the task's rate", "most H")
    rows = []
    for task, machine in machines.items():
        rollouts, horizon = machine.own
        for cores in CORES:
            whole = machine.plan(cores, rollouts, horizon)
            share = machine.python(rollouts, horizon) / whole
            most = [machine.most(cores, rollouts, horizon, grows) for grows in ("rollouts", "horizon")]
            rate = 1 / machine.figure("control period")
            name = f"{STYLES[task].label}, K {rollouts}, H {horizon}, {rate:.0f} Hz"
            known = "" if cores <= machine.measured else " (computed)"
            cells = [
                f"{each}" if each >= least else "none" for each, least in zip(most, (FEWEST, 2), strict=True)
            ]
            rows.append((name, f"{cores}{known}", f"{1 / whole:.0f}", f"{100 * share:.0f} %", *cells))
    return markdown.table(head, rows)


def limit_table(machines: dict[str, Machine]) -> list[str]:
    """What each step moves and takes, and how many cores occupy Python."""
    head = (
        "task", "steps/s of a core", "records of a step", "records a second, 64 cores", "MjData of a thread",
        "Python a judged state", "cores that one Python thread keeps busy",
    )  # fmt: skip
    rows = []
    for task, machine in machines.items():
        rate, moved = (
            machine.figure("rollout steps", 1, machine.sizes[-1]),
            machine.figure("records of a physics step"),
        )
        few, many = machine.sizes
        _, horizon = machine.own
        slope = (machine.python(many, horizon) - machine.python(few, horizon)) / (many - few) / (horizon + 1)
        busy = machine.figure("physics steps a period") / rate / slope
        rows.append(
            (
                STYLES[task].label, f"{rate:,.0f}", f"{moved:.0f} B", f"{64 * rate * moved / 1e9:.2f} GB",
                f"{machine.figure('MjData of a thread') / 1024:.0f} KiB", f"{1e6 * slope:.2f} µs",
                f"{busy:.0f}",
            )
        )  # fmt: skip
    return markdown.table(head, rows)


def gpu_lines(machines: dict[str, Machine]) -> list[str]:
    """One plan of the humanoid with as many rollouts as the published batch has worlds."""
    machine = machines["humanoid_getup"]
    _, horizon = machine.own
    physics = (horizon + 1) * GPU_WORLDS / GPU_RATE
    moved = GPU_WORLDS * (horizon + 1) * machine.figure("records of a physics step")
    parts = (
        ("physics on the GPU", physics),
        ("records over PCI Express", moved / PCI_RATE),
        ("Python: samples, rewards, values, weights", machine.python(GPU_WORLDS, horizon)),
    )
    rows = [(name, f"{1e3 * part:.0f} ms") for name, part in parts]
    whole = sum(part for _, part in parts)
    rows.append((f"the plan, K {GPU_WORLDS}, H {horizon}", f"{1e3 * whole:.0f} ms, {1 / whole:.1f} plans/s"))
    return markdown.table(("part", "time"), rows)


def fleet_table(machines: dict[str, Machine]) -> list[str]:
    """A fleet in real time: its traffic, and the cores that learn from it at one robot's ratios."""
    head = (
        "task", "transitions/s", "experience", "labels/s", "cores for labels", "cores for gradient steps",
        "cores that take transitions in", "weights, one update a second to each robot",
    )  # fmt: skip
    rows = []
    for task, machine in machines.items():
        transitions = ROBOTS / machine.figure("control period")
        labels = transitions * machine.labels_a_transition
        updates = transitions / machine.figure("transitions an update")
        gradient = updates * machine.figure("gradient steps of an update", 1)
        intake = transitions * 1e-6 * machine.figure("transition taken in", 1)
        experience = transitions * (machine.figure("experience message") + HEADERS)
        rows.append(
            (
                STYLES[task].label, f"{transitions:,.0f}", f"{experience / 1e6:.0f} MB/s", f"{labels:,.0f}",
                f"{labels * machine.label:,.0f}", f"{gradient:,.0f}", f"{intake:.1f}",
                f"{ROBOTS * machine.figure('weights') / 1e6:.0f} MB/s",
            )
        )  # fmt: skip
    return markdown.table(head, rows)


def tables(file: Path) -> list[list[str]]:
    """All tables of docs/scale.md from a file of figures."""
    machines = read(file)
    return [planning_table(machines), limit_table(machines), gpu_lines(machines), fleet_table(machines)]


def draw(file: Path, out: Path) -> None:
    """Plans a second against cores: measured points, the computed line and Python alone."""
    figure = new_figure(9.0, 4.2)
    panels = figure.subplots(1, 2, sharey=True)
    cores = [2**power for power in range(8)]
    for task, machine in read(file).items():
        style = STYLES[task]
        _, horizon = machine.own
        for axes, rollouts in zip(panels, machine.sizes, strict=True):
            axes.plot(
                cores, [1 / machine.plan(count, rollouts, horizon) for count in cores], color=style.colour
            )
            axes.axhline(
                1 / machine.python(rollouts, horizon), color=style.colour, linestyle=":", linewidth=1
            )
            plans = machine.frame[(machine.frame.quantity == "plan") & (machine.frame.rollouts == rollouts)]
            axes.plot(
                plans.threads, 1e3 / plans["median"], style.marker, color=style.colour, label=style.label
            )
    for axes, title in zip(panels, ("K of the task", "K = 256"), strict=True):
        axes.set(xscale="log", yscale="log", xlabel="cores", title=title)
        axes.set_xticks(cores, [str(count) for count in cores])
        axes.minorticks_off()
        axes.grid(color=GREY, alpha=0.2)
    panels[0].set_ylabel("plans a second")
    add_legend(figure, panels[0])
    add_caption(
        figure,
        "Markers: measured. Lines: computed. Dotted: Python alone, the most that any number of cores gives.",
    )
    figure.savefig(out)
