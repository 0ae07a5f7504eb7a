"""MkDocs hook: files of the repository outside docs/ that a page links to become part of the site.

A link such as `../results/horizons/horizons.png` then works both on GitHub and in the site, where the file
lies at results/horizons/horizons.png. Linked Markdown files become pages. A link to a missing file stays
unresolved, so that `mkdocs build --strict` reports it.
"""

import re
from pathlib import Path
from posixpath import dirname, join, normpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel

LINK = re.compile(r"\]\(([^)\s#:]+)")  # the target of a Markdown link or picture, without URLs and anchors


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add every linked file outside docs/, also those that an added page links to."""
    pages = list(files.documentation_pages())
    for page in pages:
        for target in LINK.findall(page.content_string):
            path = normpath(join(dirname(page.src_uri), target))
            source = Path(config.docs_dir, path)
            if path.startswith("../") and path not in files.src_uris and source.is_file():
                # a page outside docs/ is not part of the navigation
                added = File.generated(
                    config, path, abs_src_path=str(source), inclusion=InclusionLevel.NOT_IN_NAV
                )
                added.dest_uri = added.dest_uri.removeprefix("../")
                files.append(added)
                if added.is_documentation_page():
                    pages.append(added)
    return files
