"""What is wrong with a running robot, from figures that `polo doctor` measures; knows no ROS."""

from dataclasses import dataclass, field

from polo_ros.control.samples import KEPT_SPAN_S

# a clock of another kind, such as simulated time against the wall's, is off by more than this, in s
OTHER_CLOCK_S = 1e5
# how far ahead of this machine's clock stamps may be, in s
MOST_AHEAD_S = 0.005
# the share of the control rate below which joint states and commands are too slow
ENOUGH = 0.9


@dataclass
class TopicFigures:
    """Measurements of one topic.

    Attributes:
      topic: its name.
      type: that it should have, as in `sensor_msgs/msg/JointState`.
      messages: how many came.
      rate: of them, in Hz.
      gap: the longest time between two, in s.
      age: mean time between stamp and arrival, in s; None where there are no stamps.
      oldest: the largest, in s.
      behind: mean time by which the newest stamp is behind that of joint_states, in s.
      publishers, subscribers: names of the nodes.
      other_types: under which others publish it.
      mismatches: sentences about qualities of service that do not fit.
      fault: the sentence about a message that cannot be used.
    """

    topic: str
    type: str
    messages: int = 0
    rate: float = 0.0
    gap: float = 0.0
    age: float | None = None
    oldest: float = 0.0
    behind: float = 0.0
    publishers: list[str] = field(default_factory=list)
    subscribers: list[str] = field(default_factory=list)
    other_types: list[str] = field(default_factory=list)
    mismatches: list[str] = field(default_factory=list)
    fault: str = ""


@dataclass
class PlannerFigures:
    """Measurements of the planner.

    Attributes:
      task: that it solves.
      lockstep: whether states await commands.
      control_rate: commands a second.
      state_timeout: `safety.state_timeout`, in s.
      status: its sentence on /diagnostics; empty where it said nothing.
      level: of that sentence, 0 for ok, 1 for a warning, 2 for an error.
      plan_rate: plans a second, as it reports; None where it does not.
      round_trip: median time from a state's arrival to that of the command that answers it, in s.
      slowest_round_trip: the 95th percentile, in s.
    """

    task: str
    lockstep: bool
    control_rate: float
    state_timeout: float
    status: str = ""
    level: int = 0
    plan_rate: float | None = None
    round_trip: float | None = None
    slowest_round_trip: float | None = None


@dataclass
class Checkup:
    """All measurements.

    Attributes:
      seconds: for how long.
      states: the topics that a state of the task needs, joint_states first.
      commands: the topic of the planner's commands.
      others: topics that the planner listens to, where qualities of service matter.
      planner: None where there is none.
    """

    seconds: float
    states: list[TopicFigures]
    commands: TopicFigures
    others: list[TopicFigures]
    planner: PlannerFigures | None


def findings(checkup: Checkup) -> list[str]:
    """What is wrong, one sentence each; empty where nothing is."""
    found = []
    if checkup.planner is None:
        found.append("no planner_node runs here; start it, or give --namespace and ROS_DOMAIN_ID")
    for topic in checkup.states:
        found += _about_state(topic, checkup)
    found += _about_commands(checkup.commands, checkup)
    for topic in (*checkup.states, checkup.commands, *checkup.others):
        found += topic.mismatches
    if checkup.planner is not None:
        found += _about_planner(checkup.planner)
    return found


def _about_state(topic: TopicFigures, checkup: Checkup) -> list[str]:
    """What is wrong with a topic of the state."""
    if not topic.messages:
        return [_why_silent(topic, checkup.seconds)]
    found = [topic.fault] if topic.fault else []
    if len(topic.publishers) > 1:
        found.append(
            f"{topic.topic} has {len(topic.publishers)} publishers, {_list(topic.publishers)}; stop all but "
            f"one, unless they carry different joints"
        )
    if checkup.planner is not None and checkup.planner.lockstep:
        return found  # in lockstep the world waits for commands, so that rates and ages are not judged
    age = topic.age
    if age is not None and abs(age) > OTHER_CLOCK_S:
        side = "before" if age > 0 else "after"
        found.append(
            f"{topic.topic} is stamped {abs(age):.0f} s {side} the clock, by another clock; give driver and "
            f"planner the same use_sim_time, and stamp messages with the time of measurement"
        )
        return found
    if age is not None and age < -MOST_AHEAD_S:
        found.append(f"{topic.topic} is stamped {-age:.3f} s ahead of the clock; synchronise the clocks")
    return found + _about_rate(topic, checkup)


def _about_rate(topic: TopicFigures, checkup: Checkup) -> list[str]:
    """Whether a topic of the state comes too seldom or too late."""
    planner, found = checkup.planner, []
    if planner is None:
        return []
    first = topic is checkup.states[0]
    if first and topic.rate < ENOUGH * planner.control_rate:
        found.append(
            f"{topic.topic} comes {topic.rate:.1f} times a second, but the planner commands "
            f"{planner.control_rate:g} times; publish it at that rate at least"
        )
    oldest = topic.oldest + topic.gap  # just before the next message
    if oldest > planner.state_timeout:
        found.append(
            f"{topic.topic} gets up to {oldest:.3f} s old (it comes {topic.oldest:.3f} s late, with gaps of "
            f"{topic.gap:.3f} s), more than safety.state_timeout {planner.state_timeout:g} s"
        )
    if topic.behind > KEPT_SPAN_S:
        found.append(
            f"{topic.topic} is {topic.behind:.3f} s behind {checkup.states[0].topic}; parts more than "
            f"{KEPT_SPAN_S:g} s apart make no state"
        )
    return found


def _why_silent(topic: TopicFigures, seconds: float) -> str:
    """Why nothing came on a topic of the state."""
    if topic.publishers:
        who = _list(topic.publishers)
        return f"{topic.topic} is silent: {who} published nothing in {seconds:g} s; see whether it is active"
    if topic.other_types:
        other = _list(topic.other_types)
        return f"{topic.topic} is published as {other}, not as {topic.type}; change the driver"
    return f"nobody publishes {topic.topic} ({topic.type}); start the driver, or remap its topic to this name"


def _about_commands(commands: TopicFigures, checkup: Checkup) -> list[str]:
    """What is wrong with the commands' way to the robot."""
    found = []
    if len(commands.publishers) > 1:
        found.append(f"{commands.topic} has two publishers, {_list(commands.publishers)}; stop one of them")
    if not commands.subscribers:
        if commands.other_types:
            other = _list(commands.other_types)
            found.append(f"{commands.topic} is taken as {other}, not as {commands.type}; see command_message")
        else:
            found.append(
                f"nobody takes {commands.topic} ({commands.type}); start the controller, or remap its topic"
            )
    planner = checkup.planner
    slow = planner is not None and not planner.lockstep and commands.rate < ENOUGH * planner.control_rate
    if commands.messages > 1 and slow:
        assert planner is not None
        found.append(
            f"commands come {commands.rate:.1f} times a second instead of {planner.control_rate:g}; see "
            f"deadline_misses and plan_rate on /diagnostics"
        )
    return found


def _about_planner(planner: PlannerFigures) -> list[str]:
    """What the planner itself complains of; that it has not been enabled is no fault."""
    if not planner.status:
        return ["planner_node says nothing on /diagnostics; see its log"]
    waits = "not enabled; call ~/enable" in planner.status
    return [f"planner_node: {planner.status}"] if planner.level and not waits else []


def _list(names: list[str]) -> str:
    return " and ".join(names)


def describe(checkup: Checkup) -> str:
    """The figures as a table for people."""
    lines = [f"{'topic':36} {'Hz':>7} {'gap ms':>7} {'age ms':>7} {'behind ms':>9}  from"]
    for topic in (*checkup.states, checkup.commands):
        age = "-" if topic.age is None else f"{1e3 * topic.age:.1f}"
        who = _list(topic.publishers) or "nobody"
        numbers = f"{topic.rate:7.1f} {1e3 * topic.gap:7.1f} {age:>7} {1e3 * topic.behind:9.1f}"
        lines.append(f"{topic.topic:36} {numbers}  {who}")
    lines.append(f"{'':36} commands go to {_list(checkup.commands.subscribers) or 'nobody'}")
    planner = checkup.planner
    if planner is not None:
        lines.append(f"planner_node: {planner.task}, {planner.status or 'silent'}")
        if planner.plan_rate is not None:
            lines.append(f"  {planner.plan_rate:.1f} plans a second for {planner.control_rate:g} commands")
        if planner.round_trip is not None and planner.slowest_round_trip is not None:
            trip, slowest = 1e3 * planner.round_trip, 1e3 * planner.slowest_round_trip
            lines.append(
                f"  from a state to the command that answers it: {trip:.1f} ms, 95 % within {slowest:.1f} ms"
            )
    return "\n".join(lines)
