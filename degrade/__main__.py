"""``degrade-cli``, also as ``python -m degrade``."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point. The imports are inside, so that ^C while they load ends quietly as well."""
    try:
        from degrade.cli import main as command
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        sys.exit(130)  # console.EXIT_INTERRUPTED, which is not loaded yet
    command()


if __name__ == "__main__":
    main()
