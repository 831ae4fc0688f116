"""Processes with other surroundings than the tests': without the rights of root, or where they may mount."""

import os
import subprocess

import pytest


def without_rights():
    """What begins a command that the rights to files bind, for root as for anyone."""
    if os.geteuid():
        return ()
    prefix = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
    try:
        subprocess.run([*prefix, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("root has every right, and setpriv cannot take it away")
    return prefix


def in_namespace(script, *arguments, environment=None):
    """Run a shell script where it may mount; skip where that is impossible."""
    for unshare in (("unshare", "-m"), ("unshare", "-rm")):
        try:
            subprocess.run([*unshare, "mount", "--bind", "/", "/"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        command = [*unshare, "sh", "-c", script, "sh", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, encoding="utf-8", env=environment)
    return pytest.skip("nothing can be mounted here")
