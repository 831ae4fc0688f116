"""``python -m lenetcli`` does what ``lenetcli`` does."""

import os
import sys
from contextlib import suppress

if __name__ == "__main__":
    # Python has put the current folder first. Its files are the user's, unless it is that of this package.
    with suppress(OSError):  # it was deleted
        here = os.getcwd()  # noqa: PTH109 -- pathlib, too, could be a file of the user
        if not sys.flags.safe_path and sys.path[0] == here and not __file__.startswith(f"{here}/lenetcli/"):
            del sys.path[0]

    from lenetcli.cli.start import main

    main()
