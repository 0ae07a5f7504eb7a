"""The generated pages of the documentation, in Markdown."""

from polo_ros.control.joints import JointMapping
from polo_ros.control.state import JOINTS, StateAssembler
from polo_ros.files import share_folders
from polo_ros.parameters.markdown import table
from polo_ros.parameters.node_tables import NODES, node_table
from polo_ros.tasks import Task, make_task, task_class, task_classes
from polo_ros.tasks.goals import VELOCITY
from polo_ros.tasks.state import clock_entry

# whose reward weights stand for every task's
DOCUMENTED_TASK = "humanoid_getup"


def parameters_markdown() -> str:
    """The page `docs/parameters.md`, from the tables that declare the parameters."""
    lines = [
        "# Parameters",
        "",
        "Made by `polo parameters`. Dynamic parameters may change while a node runs; the others are",
        f"read-only. The reward's weights are those of `{DOCUMENTED_TASK}`; each task has its own.",
    ]
    for node in NODES:
        rows = []
        for row in node_table(node, task_class(DOCUMENTED_TASK)):
            span = f"{row.low:g} … {row.high:g}" if row.low is not None and row.high is not None else ""
            default = list(row.default) if isinstance(row.default, tuple) else row.default
            rows.append((
                f"`{row.name}`", row.type_name, f"`{default}`" if default != "" else "empty",
                span or ", ".join(row.choices), "yes" if row.dynamic else "", row.description,
            ))  # fmt: skip
        head = ("name", "type", "default", "range", "dynamic", "meaning")
        lines += ["", f"## {node}", "", *table(head, rows)]
    return "\n".join(lines) + "\n"


def tasks_markdown() -> str:
    """The page `docs/tasks.md`, from the tasks and their models.

    Raises:
      PoloError: a task cannot be loaded, or its model cannot be put on topics.
    """
    lines = [
        "# Tasks",
        "",
        "Made by `polo tasks --markdown`; the pictures, of start states of seed 0, by",
        "`polo tasks --pictures docs/tasks`. The reward is the sum of its terms, each times its weight: the",
        "parameter `reward.<term>`. The value features are what the value function sees of a state. A robot",
        "or simulator provides the state topics and takes commands on the command topic.",
    ]
    for name in task_classes():
        lines += task_section(make_task(name))
    return "\n".join(lines) + "\n"


def task_section(task: Task) -> list[str]:
    """The lines on one task."""
    model, robot = task.model, JointMapping(task.model)
    topics = [JOINTS, *StateAssembler(task, robot, lockstep=False).odometry_topics()]
    period, step = milliseconds(task.timestep), milliseconds(model.opt.timestep)
    parts = {
        "positions": model.nq,
        "velocities": model.nv,
        "activations": model.na,
        "for the gait clock": int(clock_entry(model) is not None),
        "for the velocity goal"
        if VELOCITY in task.goals.kinds
        else "for the pose of the goal": task.goal_size,
    }
    sizes = ", ".join(f"{size} {part}" for part, size in parts.items() if size)
    facts = {
        "model": source(task),
        "state": f"{task.state_size} numbers: {sizes}",
        "degrees of freedom": model.nv,
        "actuators": model.nu,
        "control period": f"{period}, physics in steps of {step}",
        "goal": goal(task),
        "state topics": ", ".join(f"`{topic}`" for topic in topics),
        "command topic": f"`{robot.command_topic}`",
        "measure": f"{task.measure.name}, in {task.measure.unit}",
    }
    terms = [
        (f"`{term.name}`", f"{term.weight:g}", f"{term.low:g} … {term.high:g}", term.description)
        for term in task.terms
    ]
    features = [(feature.name, feature.size, feature.unit) for feature in task.listed_features()]
    features.append(("**all**", task.feature_count, ""))
    return [
        "",
        f"## {task.name}",
        "",
        task.summary,
        "",
        f"![The start of {task.name}](tasks/{task.name}.png)",
        "",
        *table(("", ""), facts.items()),
        "",
        *(table(("reward term", "weight", "range", "meaning"), terms) if terms else ["There is no reward."]),
        "",
        *table(("value feature", "size", "unit"), features),
    ]


def source(task: Task) -> str:
    """A link to a task's model where it is a file of this package; else what it is called."""
    name = str(task.source())
    if any((folder / "models" / name).is_file() for folder in share_folders()):
        return f"[models/{name}](../models/{name})"
    return f"`{name}`"


def goal(task: Task) -> str:
    """Where a task's goal is and whether it changes."""
    if not task.goal_size:
        return "none"
    if not task.goal_period:
        return "set by the start; stays until the topic `goal` moves it"
    seconds = task.goal_period * task.timestep
    return (
        f"set by the start and drawn anew every {task.goal_period} control periods ({seconds:g} s), "
        f"until the topic `goal` gives one"
    )


def milliseconds(seconds: float) -> str:
    """A time in ms as text."""
    return f"{1000 * seconds:g} ms"
