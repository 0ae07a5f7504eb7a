"""An explanation as a table: of text for a terminal, and of HTML for the page."""

import html
from collections.abc import Iterator

import numpy as np

from polo_ros.agent.tables import table_lines
from polo_ros.errors import PoloError
from polo_ros.recordings.explanation import Explanation

UNKNOWN = "unknown"
WIDTH = 9  # of a number in a terminal, in characters
CELL = "padding:0 0.3em;text-align:right;white-space:nowrap"
# of the candidates as the page draws them: red, green and blue of the best one and of the others
BEST_COLOUR, OTHER_COLOUR = (255, 160, 0), (120, 120, 220)


def explanation_text(explanation: Explanation) -> str:
    """The explanation as lines for a terminal.

    Raises:
      PoloError: every candidate diverged.
    """
    rows = [[name, *(cell.rjust(WIDTH) for cell in cells)] for name, *cells in _rows(explanation)]
    table = table_lines(rows[1:], rows[0])
    return "\n".join([*_introduction(explanation), "", *table, "", _said(explanation)])


def explanation_html(explanation: Explanation) -> str:
    """The explanation for a narrow panel.

    Raises:
      PoloError: every candidate diverged.
    """
    heading, *rows = _rows(explanation)
    colours = [BEST_COLOUR, *[OTHER_COLOUR] * (len(explanation.candidates) - 1)]
    cells = [f'<th style="{CELL};text-align:left">{heading[0]}</th>']
    for index, name in enumerate(heading[1:]):
        colour = colours[index] if index < len(colours) else None
        mark = f'<span style="color:rgb{colour}">&#9679;</span>' if colour else ""
        cells.append(f'<th style="{CELL}">{mark}{name}</th>')
    lines = [f"<tr>{''.join(cells)}</tr>"]
    for name, *numbers in rows:
        first = f'<td style="padding:0 0.3em">{html.escape(name)}</td>'
        others = "".join(f'<td style="{CELL}">{number}</td>' for number in numbers)
        lines.append(f"<tr>{first}{others}</tr>")
    above = "<br>".join(html.escape(line) for line in _introduction(explanation))
    return (
        f'<div style="font-size:0.75em;padding:0 1em;line-height:1.5">{above}'
        f'<table style="border-collapse:collapse;margin:0.6em 0;font-size:0.9em">{"".join(lines)}</table>'
        f"{html.escape(_said(explanation))}</div>"
    )


def _introduction(explanation: Explanation) -> list[str]:
    around = "the recorded plan" if explanation.planned else "the executed control"
    return [
        f"{explanation.task} at {explanation.time:.3f} s",
        f"value function: {explanation.value}",
        f"candidates around {around}, best first; a plan averages "
        f"{explanation.effective_sample_size:.1f} of all rollouts",
        "predicted: the recorded plan in the model; realised: what followed",
    ]


def _said(explanation: Explanation) -> str:
    return f"the planner said: {explanation.said or 'nothing that was recorded'}"


def _rows(explanation: Explanation) -> Iterator[list[str]]:
    """Names of the columns, then a row a quantity: of each candidate, predicted and realised."""
    candidates = explanation.candidates
    if not candidates:
        raise PoloError(f"every rollout from the state at {explanation.time:g} s diverged")
    predicted, realised = explanation.predicted, explanation.realised
    yield ["", *(str(rank) for rank in range(1, len(candidates) + 1)), "predicted", "realised"]
    yield ["weight", *(f"{each.weight:.3f}" for each in candidates), "", ""]
    yield ["return", *(f"{each.total:.2f}" for each in candidates), "", ""]
    for name in candidates[0].terms:
        numbers = [each.terms[name] for each in candidates]
        yield [
            name,
            *(f"{number:.3f}" for number in numbers),
            *map(_number, (predicted.get(name), realised.get(name))),
        ]
    sums = (sum(known.values()) if known else None for known in (predicted, realised))
    yield ["all terms", *(f"{sum(each.terms.values()):.3f}" for each in candidates), *map(_number, sums)]
    heads = np.array([each.terminal for each in candidates])  # (candidates, heads)
    if heads.size:
        yield ["terminal value", *(f"{mean:.2f}" for mean in heads.mean(axis=1)), "", ""]
        for index, values in enumerate(heads.T, 1):
            yield [f"of head {index}", *(f"{value:.2f}" for value in values), "", ""]


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.3f}"
