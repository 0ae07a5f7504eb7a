"""A node's parameters as sliders, menus and switches."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import viser

from polo_ros.viewer.fields import READ_ONLY, Field, Value, grouped, parse_setting

SetParameter = Callable[[str, Value], None]
# where in its tab the row is in which a setting is typed: below the parameters
LAST = 1e9


class ParameterPanel:
    """Shows a node's parameters in a tab, and asks for changes.

    Args:
      gui: of the page.
      tab: the container to fill.
      set_parameter: called with name and value, from any thread, where a user changes one; the answer comes
        as `update` or `refuse`.
    """

    def __init__(self, gui: viser.GuiApi, tab: viser.GuiTabHandle, set_parameter: SetParameter) -> None:
        self._gui = gui
        self._tab = tab
        self._set = set_parameter
        self._fields: dict[str, Field] = {}
        self._inputs: dict[str, Any] = {}
        self._containers: list[Any] = []
        with tab:
            self._message = gui.add_markdown("The node has not been seen yet.")
            hint = "for a value between two positions of a slider, such as horizon:=20"
            typed = gui.add_text("name:=value", "", hint=hint, order=LAST)
            set_typed = gui.add_button("Set", order=LAST)

        @set_typed.on_click
        def _(_: object) -> None:
            self._on_typed(typed.value)

    def show(self, fields: Sequence[Field]) -> None:
        """Show these parameters in place of all others."""
        for container in self._containers:
            container.remove()
        self._containers, self._inputs = [], {}
        self._fields = {field.name: field for field in fields}
        self._message.content = ""
        with self._tab:
            for group, members in grouped(fields).items():
                # the name of the group is that of its parameters up to the last dot
                title = {"": "Settings", READ_ONLY: "Read-only: restart the node to change"}.get(group, group)
                closed = group not in ("", "reward")
                folder = self._gui.add_folder(title, expand_by_default=not closed)
                self._containers.append(folder)
                with folder:
                    for field in members:
                        self._inputs[field.name] = self._add(field, group)

    def update(self, values: Mapping[str, Value]) -> None:
        """Show new values of some parameters; others' names are ignored."""
        for name, value in values.items():
            if name in self._inputs:
                handle = self._inputs[name]
                shown = str(value) if isinstance(value, list) else value
                if handle.value != shown:
                    handle.value = shown

    def refuse(self, name: str, value: Value, reason: str) -> None:
        """Say why a change was refused, and show the value that stays."""
        self.update({name: value})
        self.say(f"**{name}** was refused: {reason}")

    def accept(self) -> None:
        """A change was made: an older refusal is over."""
        self.say("")

    def say(self, text: str) -> None:
        """Show a sentence above the parameters."""
        if self._message.content != text:
            self._message.content = text

    def _on_typed(self, text: str) -> None:
        try:
            name, value = parse_setting(text, self._fields.values())
        except ValueError as error:
            self.say(f"{error}")
            return
        self._set(name, value)

    def _add(self, field: Field, group: str) -> Any:
        label = field.name.removeprefix(f"{group}.")
        handle = self._make(field, label)

        def ask(event: viser.GuiEvent[Any]) -> None:
            if event.client is not None:  # otherwise it was this class that set the value
                self._set(field.name, handle.value)

        handle.on_update(ask)
        return handle

    def _make(self, field: Field, label: str) -> Any:
        gui, value, hint = self._gui, field.value, field.description
        if field.read_only or isinstance(value, list):
            return gui.add_text(label, str(value), disabled=True, hint=hint)
        if isinstance(value, bool):
            return gui.add_checkbox(label, value, hint=hint)
        if field.choices:
            return gui.add_dropdown(label, field.choices, initial_value=str(value), hint=hint)
        if isinstance(value, str):
            return gui.add_text(label, value, hint=hint)
        if field.low is None or field.high is None:
            return gui.add_number(label, value, hint=hint)
        kind = type(value)
        return gui.add_slider(
            label, kind(field.low), kind(field.high), kind(field.step), kind(value), hint=hint
        )
