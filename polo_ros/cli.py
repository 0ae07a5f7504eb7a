"""The command `polo`: everything that needs no ROS."""

import argparse
import os
import sys

from polo_ros.errors import PoloError

# what a shell shows of a program that SIGPIPE ended
ENDED_BY_PIPE = 141
# commands whose further options are those of a program of their own
OPEN_ENDED = ("doctor", "record", "reproduce")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    from polo_ros.commands import GROUPS  # takes tenths of a second, in which Ctrl-C is handled by `main`

    top = argparse.ArgumentParser(prog="polo", description="Plan online, learn offline, without ROS.")
    commands = top.add_subparsers(dest="command", required=True)
    for group in GROUPS:
        group.add(commands)
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run a command; 1 and one sentence on standard error where its input is bad."""
    try:
        top = parser()
        options, rest = top.parse_known_args(arguments)
        if rest and options.command not in OPEN_ENDED:
            top.error(f"unrecognized arguments: {' '.join(rest)}")
        options.rest = rest
        code: int = options.run(options)
        sys.stdout.flush()
        return code
    except PoloError as error:
        print(f"polo: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of a pipe has ended, as in `polo tasks | head`
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # what is left in the buffer goes there
        return ENDED_BY_PIPE
    except OSError as error:  # a full disk, or a folder that is a file
        print(f"polo: {error.filename or 'a file'} could not be written ({error.strerror})", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("polo: interrupted; what was written stays", file=sys.stderr)
        return 130
