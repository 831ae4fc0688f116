"""``python -m lenetcli`` does what ``lenetcli`` does."""

from lenetcli.cli.app import main

if __name__ == "__main__":
    main()
