"""MkDocs hook: the site's pages have the paths that they have in the repository, so that links work in both.

Every file of docs/ keeps its address in the site and gets its repository path (docs/planner.md) as the
path that links refer to. Files outside docs/ that a page links to, such as results/horizons/horizons.png or
CONTRIBUTING.md, are added. A link to a file that does not exist stays unresolved, so that
`mkdocs build --strict` reports it.
"""

import re
from pathlib import Path
from posixpath import dirname, join, normpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel

# the target of a Markdown link or picture, or the source of an HTML picture, without URLs and anchors
LINK = re.compile(r"\]\(([^)\s#:]+)|src=\"([^\"#:]+)\"")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Give the files of docs/ their repository paths, and add the files that pages link to."""
    root = Path(config.docs_dir).parent

    def add(path: str, inclusion: InclusionLevel, dest_uri: str | None = None) -> File:
        added = File(
            path, str(root), config.site_dir, config.use_directory_urls,
            dest_uri=dest_uri, inclusion=inclusion,
        )  # fmt: skip
        files.append(added)
        return added

    for file in [file for file in files if file.src_dir == config.docs_dir]:
        files.remove(file)
        add(f"{Path(config.docs_dir).name}/{file.src_uri}", file.inclusion, file.dest_uri)
    pages = list(files.documentation_pages())
    for page in pages:  # grows while it is walked: an added page may link to further files
        for target in filter(None, (found for pair in LINK.findall(page.content_string) for found in pair)):
            path = normpath(join(dirname(page.src_uri), target))
            if path not in files.src_uris and not path.startswith("..") and (root / path).is_file():
                added = add(path, InclusionLevel.NOT_IN_NAV)
                if added.is_documentation_page():
                    pages.append(added)
    return files
