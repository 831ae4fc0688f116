"""Python: processes of it that import what this one imports, and files of the user that get in the way.

This module imports only what Python has loaded before any file of a user could take the place of it.
"""

import os
import site
import sys
from importlib.machinery import PathFinder

from lenetcli.errors import RunFailedError


def python_command(*arguments: str) -> list[str]:
    """The command that runs this Python, with nothing imported from the current folder by default."""
    return [sys.executable, "-P", *arguments]


def python_environment() -> dict[str, str]:
    """The environment in which another process of Python imports what this one imports.

    ``multiprocessing`` starts processes without the option of ``python_command``, and hands them the path of
    this one too late for its own imports. For them, too, these variables have to be set meanwhile.
    """
    path = os.pathsep.join(map(os.path.abspath, sys.path))
    return os.environ | {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"}


def find_intruders(error: BaseException) -> RunFailedError | None:
    """The error about files of the user that were imported in place of installed modules; None without any.

    ``error`` is an exception that should not be, or an exit: that is looked at only if such a file made it.
    """
    installed = _installed_folders()
    files = {name: file for name, file in _imported_files(error) if _is_intruder(name, file, installed)}
    if not files:
        return None
    several = len(files) > 1
    paths, modules = " and ".join(f"'{file}'" for file in files.values()), " and ".join(files)
    return RunFailedError(
        f"{paths} {'were' if several else 'was'} imported in place of the module{'s' * several} {modules}, "
        "which lenetcli needs.",
        f"Rename {'them' if several else 'it'}.",
    )


def _imported_files(error: BaseException) -> list[tuple[str, str]]:
    """The names and files of modules: those in which an error arose, and those that are loaded."""
    found, chain = [], [error]
    while (link := chain[-1].__cause__ or chain[-1].__context__) and link not in chain:
        chain.append(link)
    for link in chain:
        trace = link.__traceback__
        while trace is not None:
            frame, trace = trace.tb_frame, trace.tb_next
            found.append((str(frame.f_globals.get("__name__")), frame.f_code.co_filename))
        if isinstance(link, SyntaxError) and link.filename:  # the module was never executed
            folder, _, name = link.filename.removesuffix(".py").removesuffix("/__init__").rpartition(os.sep)
            found += [(name, link.filename)] if folder in sys.path else []
    if not isinstance(error, SystemExit):
        modules = list(sys.modules.items())
        found += [(name, getattr(module, "__file__", None) or "") for name, module in modules]
    return found


def _is_intruder(name: str, file: str, installed: list[str]) -> bool:
    """Whether a file was imported in place of a top-level module that is installed."""
    if not file.endswith(".py") or "." in name or name in ("__main__", "lenetcli"):
        return False
    return not _is_in(file, installed) and PathFinder.find_spec(name, installed) is not None


def _installed_folders() -> list[str]:
    """The folders of the import path that hold the standard library and installed packages."""
    library = os.__file__.removesuffix("os.py").rstrip(os.sep)
    return [
        entry
        for entry in sys.path
        if _is_in(entry, [library, *site.getsitepackages(), site.getusersitepackages()])
    ]


def _is_in(path: str, folders: list[str]) -> bool:
    return any(path == folder or path.startswith(folder + os.sep) for folder in folders)
