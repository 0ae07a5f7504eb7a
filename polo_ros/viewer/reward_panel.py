"""The reward's weights, which planner and learner must share, as one row of sliders."""

from collections.abc import Callable, Mapping, Sequence

import viser

from polo_ros.viewer.fields import Field, Value
from polo_ros.viewer.parameter_panel import ParameterPanel

REWARD = "reward"
PLANNER, LEARNER = "planner_node", "learner_node"
# whose weights are shown where both run: what the robot does follows from the planner's
HOLDERS = (PLANNER, LEARNER)
EXPLANATION = "Weights of the reward's terms. A slider sets the planner's and the learner's."
SetParameter = Callable[[str, str, Value], None]


class RewardPanel:
    """Shows the reward's weights in a tab, and asks both nodes for a change.

    The learner refuses experience of another reward than its own. Where the two differ, because one was
    changed elsewhere or refused, the panel says so and offers to give the learner the planner's.

    Args:
      gui: of the page.
      tab: the container to fill.
      set_parameter: called with a node, a name and a value, from any thread.
      runs: tells whether a node runs.
    """

    def __init__(
        self,
        gui: viser.GuiApi,
        tab: viser.GuiTabHandle,
        set_parameter: SetParameter,
        runs: Callable[[str], bool],
    ) -> None:
        self._set_parameter, self._runs = set_parameter, runs
        self._fields: dict[str, list[Field]] = {}
        self._values: dict[str, dict[str, Value]] = {}
        self._differing: tuple[str, ...] = ()
        with tab:
            gui.add_markdown(EXPLANATION)
            self._difference = gui.add_markdown("", visible=False)
            self._give = gui.add_button("Give the learner the planner's", visible=False)
        self._panel = ParameterPanel(gui, tab, self._set)
        self._give.on_click(lambda _: self._give_learner())

    def show(self, node: str, fields: Sequence[Field]) -> None:
        """Take a node's weights; those of the first holder that is known are shown."""
        self._fields[node] = list(fields)
        self._values[node] = {field.name: field.value for field in fields}
        if node == self._shown():
            self._panel.show(fields)

    def update(self, node: str, values: Mapping[str, Value]) -> None:
        """Take new values of a node's parameters; names of others are ignored."""
        held = self._values.get(node, {})
        held.update({name: value for name, value in values.items() if name in held})
        if node == self._shown():
            self._panel.update(values)

    def refuse(self, node: str, name: str, value: Value, reason: str) -> None:
        """A node has refused a weight: show the value that stays, and why."""
        if node == self._shown():
            self._panel.update({name: value})
        self._panel.say(f"**{name}** was refused by {node}: {reason}")

    def accept(self) -> None:
        """A change was made: an older refusal is over."""
        self._panel.accept()

    def compare(self) -> None:
        """Say whether planner and learner differ, if they also did at the last call: a change takes time."""
        differing = self.differing()
        lasting = bool(differing) and differing == self._differing
        self._differing = differing
        text = ""
        if lasting:
            theirs = self._values[LEARNER]
            values = ", ".join(f"{name.removeprefix(f'{REWARD}.')} {theirs[name]}" for name in differing)
            text = f"**The learner's weights differ ({values}), so that it does not learn from this robot.**"
        if self._difference.content != text:
            self._difference.content = text
        if self._give.visible != lasting:
            self._give.visible = self._difference.visible = lasting

    def differing(self) -> tuple[str, ...]:
        """The weights that planner and learner disagree on, where both run."""
        if not all(self._runs(node) and node in self._values for node in HOLDERS):
            return ()
        ours, theirs = self._values[PLANNER], self._values[LEARNER]
        return tuple(name for name in ours if name in theirs and ours[name] != theirs[name])

    def _shown(self) -> str:
        return next((node for node in HOLDERS if node in self._fields), "")

    def _set(self, name: str, value: Value) -> None:
        for node in HOLDERS:
            if node in self._values and self._runs(node):
                self._set_parameter(node, name, value)

    def _give_learner(self) -> None:
        for name in self.differing():
            self._set_parameter(LEARNER, name, self._values[PLANNER][name])
