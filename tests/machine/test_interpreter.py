import json
import os
import subprocess
import sys

import pytest
from helpers.documents import ROOT

PARENT = """
import json, multiprocessing, os, subprocess, sys
from lenetcli.machine.interpreter import python_command, python_environment

if __name__ == "__main__":
    sys.path.insert(0, "/put first")
    code = "import json, sys; print(json.dumps(sys.path))"
    print(subprocess.check_output(python_command("-c", code), env=python_environment(), text=True), end="")
    print(json.dumps(sys.path))
    if sys.argv[1] == "protected":
        os.environ.update(python_environment())
    child = multiprocessing.get_context("spawn").Process(target=print, args=("spawned",))
    child.start()
    child.join()
    sys.exit(child.exitcode)
"""


@pytest.mark.parametrize("protected", [True, False])
def test_children_import_what_their_parent_imports_and_nothing_of_the_current_folder(tmp_path, protected):
    for name in ("signal", "struct", "pickle", "json"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(3)")
    parent = tmp_path / "programs" / "parent.py"
    parent.parent.mkdir()
    parent.write_text(PARENT)
    done = subprocess.run(
        [sys.executable, parent, "protected" if protected else "not"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    child, itself, *spawned = done.stdout.splitlines()
    assert json.loads(child)[: len(json.loads(itself))] == json.loads(itself)
    assert str(tmp_path) not in json.loads(child)
    # Without the environment, the user's files end the children of Python's own library.
    assert (done.returncode, spawned) == ((0, ["spawned"]) if protected else (3, [])), done.stderr


def test_one_module_alone_says_how_python_is_started():
    modules = (ROOT / "lenetcli").rglob("*.py")
    assert [path.name for path in modules if "sys.executable" in path.read_text("utf-8")] == [
        "interpreter.py"
    ]
