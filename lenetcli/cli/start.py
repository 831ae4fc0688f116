"""The start of the program, and what it says of files of the user that get in the way of its imports."""

import os
import sys

from lenetcli.errors import DEBUG_VARIABLE
from lenetcli.machine.interpreter import find_intruders


def main() -> None:
    """Run the command line and end the process with its exit code."""
    try:
        from lenetcli.cli.app import main as run_command_line

        run_command_line()
    except (Exception, SystemExit) as error:
        intrusion = find_intruders(error)
        if intrusion is None or os.environ.get(DEBUG_VARIABLE):
            raise
        sys.stderr.write(f"Error: {intrusion}\n")  # rich may be what could not be imported
        sys.exit(intrusion.exit_code)
