"""The web server of the page: viser, for browsers on this machine alone."""

import contextlib
import functools
import io
import re
from collections.abc import Iterator

import viser
import websockets.asyncio.server

from polo_ros.errors import PoloError

LOCALHOST = "127.0.0.1"
# a browser names the site whose page opens a connection; through `ssh -L` that is localhost, too
OWN_PAGES = re.compile(r"http://(localhost|127\.0\.0\.1)(:\d+)?")


def open_server(port: int, title: str) -> viser.ViserServer:
    """Serve a page on localhost, on the first free port from one on.

    The page can move a robot and has no password. So it is not served to other machines (to watch from
    another one, forward the port: `ssh -L 8080:localhost:8080 robot`), and pages of other web sites, which a
    browser lets connect to localhost, are refused.

    Args:
      port: the first that is tried; 0 for any free one.
      title: of the page's panel.

    Raises:
      PoloError: no server could be started.
    """
    # viser prints a frame with its address, whatever its `verbose` is
    with _own_pages_only(), contextlib.redirect_stdout(io.StringIO()):
        try:
            server = viser.ViserServer(LOCALHOST, port, label=title, verbose=False)
        except (OSError, RuntimeError) as error:
            raise PoloError(f"the page could not be served from port {port} on ({error})") from None
    return server


def address_of(server: viser.ViserServer) -> str:
    """The address of the page."""
    return f"http://{LOCALHOST}:{server.get_port()}/"


@contextlib.contextmanager
def _own_pages_only() -> Iterator[None]:
    """Let the web server that viser starts meanwhile accept no pages but its own.

    viser does not pass this option of `websockets` on. Programs that are no browsers name no origin.
    """
    module = websockets.asyncio.server
    serve = module.serve
    limited = functools.partial(serve, origins=[None, OWN_PAGES])
    setattr(module, "serve", limited)  # noqa: B010 - mypy takes the class for a constant
    try:
        yield
    finally:
        setattr(module, "serve", serve)  # noqa: B010
