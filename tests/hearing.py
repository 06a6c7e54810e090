"""A command that hears ^C: a shell's background jobs, and what they start, are born deaf to it."""

from __future__ import annotations

import sys

COMMAND = (
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from degrade.cli import main; main()",
)
