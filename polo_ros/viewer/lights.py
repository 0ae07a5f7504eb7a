"""The nodes' statuses on /diagnostics, each as a light with a sentence."""

import html
import time
from collections.abc import Mapping
from dataclasses import dataclass

import viser

COLOURS = {0: "#2f9e44", 1: "#f08c00", 2: "#e03131"}
SILENT_COLOUR = "#868e96"
# a node without a status for this long is silent, in s; nodes publish one a second
SILENCE_S = 3.5
# characters of a sentence, which comes from another process
LONGEST = 400


@dataclass(frozen=True)
class Light:
    """A node's level (0 good, 1 warning, 2 error), its sentence, and when it came in monotonic s."""

    level: int
    text: str
    heard: float


class Lights:
    """The lights of some nodes in a panel.

    Args:
      gui: of the page; the lights are added to the container that is being filled.
      nodes: names, in the order of their lights.
    """

    def __init__(self, gui: viser.GuiApi, nodes: tuple[str, ...]) -> None:
        self._nodes = nodes
        self._lights: dict[str, Light] = {}
        self._shown = ""
        self._html = gui.add_html("")
        self.draw()

    def hear(self, node: str, level: int, text: str) -> None:
        """Take a node's status."""
        self._lights[node] = Light(level, text[:LONGEST], time.monotonic())

    def alive(self, node: str) -> bool:
        """Whether a node has published a status lately."""
        light = self._lights.get(node)
        return light is not None and time.monotonic() - light.heard < SILENCE_S

    def draw(self) -> None:
        """Show the present lights."""
        content = lights_html(self._nodes, {n: self._lights[n] for n in self._nodes if self.alive(n)})
        if content != self._shown:
            self._shown = self._html.content = content


def lights_html(nodes: tuple[str, ...], lights: Mapping[str, Light]) -> str:
    """A line for each node: a coloured dot, its name and its sentence."""
    lines = []
    for node in nodes:
        light = lights.get(node)
        colour = COLOURS.get(light.level, SILENT_COLOUR) if light else SILENT_COLOUR
        text = html.escape(light.text) if light else "silent"
        dot = f'<span style="color:{colour};font-size:1.2em">&#9679;</span>'
        lines.append(f"<div>{dot} <b>{node.removesuffix('_node')}</b>: {text}</div>")
    return f'<div style="font-size:0.8em;padding:0.2em 0.8em;line-height:1.5">{"".join(lines)}</div>'
