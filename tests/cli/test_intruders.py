"""Files of the user that have the names of modules."""

import os
import subprocess
import sys

import pytest
from helpers.documents import ROOT

INSTALLED = ("-P", "-c", "from lenetcli.cli.start import main; main()")
STORE = str(ROOT / "tests" / "fixtures" / "exercise_0.1.0.db")


def run(folder, *command, path=str(ROOT)):
    environment = os.environ | {"PYTHONPATH": path, "LENETCLI_STORE": STORE}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("random", "x = 1", "--version"),  # imported before any command runs
        ("random", "x = (", "--version"),
        ("random", "Random = 3", "runs list"),
        ("platform", "exit()", "runs list"),
        ("csv", "open('table.csv')", "runs list"),
        ("pathlib", "x = 1", "runs list"),
        ("typing", "x = 1", "runs list"),
        ("rich", "x = 1", "runs list"),  # prints errors otherwise
        ("statistics", "x = 1", "plot lr"),
        ("matplotlib/__init__", "x = 1", "plot lr"),
        ("typst", "x = 1", "report"),
    ],
)
def test_a_file_in_the_way_of_an_import_is_named(name, content, words, tmp_path):
    file = tmp_path / f"{name}.py"
    file.parent.mkdir(exist_ok=True)
    file.write_text(content)
    done = run(tmp_path, *INSTALLED, *words.split(), path=f".{os.pathsep}{ROOT}")
    module = name.partition("/")[0]
    assert done.stderr.splitlines()[-1] == (
        f"Error: '{file}' was imported in place of the module {module}, which lenetcli needs. Rename it."
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == 1


def test_several_files_in_the_way_are_named_together(tmp_path):
    for name in ("csv", "statistics"):
        (tmp_path / f"{name}.py").write_text("x = 1")
    done = run(tmp_path, *INSTALLED, "plot", "lr", path=f".{os.pathsep}{ROOT}")
    assert done.stderr.startswith(f"Error: '{tmp_path}/")
    assert done.stderr.endswith(", which lenetcli needs. Rename them.\n")


@pytest.mark.parametrize("command", [INSTALLED, ("-m", "lenetcli")])
def test_nothing_is_imported_from_the_current_folder(command, tmp_path):
    for name in ("random", "platform", "csv", "rich", "statistics", "pathlib", "schema", "queries"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(3)")
    done = run(tmp_path, *command, "runs", "list")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 2


def test_the_module_runs_from_a_checkout_and_from_a_folder_that_was_deleted(tmp_path):
    assert run(ROOT, "-m", "lenetcli", "--version", path="").returncode == 0
    folder = tmp_path / "deleted"
    folder.mkdir()
    command = [sys.executable, "-m", "lenetcli", "--version"]
    code = f"import os; os.rmdir({str(folder)!r}); os.execv({sys.executable!r}, {command})"
    assert run(folder, "-c", code).returncode == 0


def test_errors_without_such_a_file_are_left_alone(tmp_path):
    (tmp_path / "schema.py").write_text("")  # its name is that of a module of the package
    done = run(tmp_path, *INSTALLED, "runs", "show", "0", "--nonsense", path=f".{os.pathsep}{ROOT}")
    assert done.returncode == 2
    assert "in place of" not in done.stderr
