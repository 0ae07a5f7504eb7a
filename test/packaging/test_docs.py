"""The documentation: what is generated is up to date, and links lead somewhere."""

import re
from pathlib import Path

import numpy as np
from matplotlib.image import imread
from workspace import SOURCE

from polo_ros.parameters.documentation import parameters_markdown, tasks_markdown
from polo_ros.tasks import task_classes
from polo_ros.viewer.film_strip import THUMBNAIL

DOCS = SOURCE / "docs"


def test_parameter_page_is_up_to_date() -> None:
    assert (DOCS / "parameters.md").read_text() == parameters_markdown(), (
        "write it anew: polo parameters > docs/parameters.md"
    )


def test_task_page_is_up_to_date() -> None:
    assert (DOCS / "tasks.md").read_text() == tasks_markdown(), (
        "write it anew: polo tasks --markdown > docs/tasks.md"
    )


def test_every_task_has_a_picture_and_no_picture_is_left_over() -> None:
    pictures = sorted((DOCS / "tasks").iterdir())
    assert [picture.name for picture in pictures] == [f"{name}.png" for name in task_classes()], (
        "write them anew: polo tasks --pictures docs/tasks"
    )
    for picture in pictures:
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert picture.stat().st_size < 60_000
        pixels = imread(picture)
        assert pixels.shape[1::-1] == THUMBNAIL
        assert len(np.unique(pixels.reshape(-1, pixels.shape[2]), axis=0)) > 20, f"{picture.name} is blank"


def test_links_between_pages_lead_somewhere() -> None:
    pages: list[Path] = [*SOURCE.glob("*.md"), *sorted(DOCS.rglob("*.md"))]
    for page in pages:
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
