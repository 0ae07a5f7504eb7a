"""TCP ports for tests."""

import socket


def free_port() -> int:
    """A port of localhost that nobody uses."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
