"""The command line: the Typer application, and ``main``, which turns errors into exit codes.

Commands import what is slow to load when they run, so that ``--help`` loads little but Typer and rich.
"""

import errno
import os
import sys
import tempfile
from typing import Annotated, Any, NoReturn

import typer

from lenetcli.cli import answers, options, plot, report, reproduce, runs, store, surroundings, sweeps, train
from lenetcli.cli.screen.streams import prepare_streams, release_streams
from lenetcli.errors import DEBUG_VARIABLE, LenetError, RunFailedError, UsageError, describe_error
from lenetcli.machine.interpreter import find_intruders
from lenetcli.training.interrupts import exit_on_signals
from lenetcli.version import __version__

# Typer contains its own copy of Click and exports only the exceptions that programs raise themselves.
_TyperError: type[Exception] = typer.BadParameter.__mro__[2]  # ClickException

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Small-CNN experiments that can be trusted: train, sweep, measure, plot and report.",
)
app.command()(train.train)
# A negative value is an invalid value of the parameter, not an unknown option.
app.command(context_settings={"ignore_unknown_options": True})(train.sweep)
app.command()(reproduce.reproduce)
app.command()(plot.plot)
app.command()(report.report)
app.add_typer(runs.app, name="runs")
app.add_typer(sweeps.app, name="sweeps")
app.add_typer(store.app, name="store")
app.command()(surroundings.data)
app.command()(surroundings.devices)


def _show_version(requested: bool) -> None:
    if requested:
        sys.stdout.write(f"lenetcli {__version__}\n")
        raise typer.Exit


@app.callback()
def _global_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", envvar=DEBUG_VARIABLE, help="Show where an error comes from.")
    ] = False,
) -> None:
    os.environ[DEBUG_VARIABLE] = "1" if debug else ""  # the variable may be set to 0


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and end the process with its exit code.

    Args:
        arguments: the words after ``lenetcli``; those of the process if None.
    """
    typed = sys.argv[1:] if arguments is None else arguments
    exit_on_signals()
    prepare_streams()
    try:
        group = typer.main.get_command(app)
        words = answers.understand(typed, group)
        code = group(args=words, prog_name="lenetcli", standalone_mode=False)
        sys.stdout.flush()
    except LenetError as error:
        _explain(error, typed)
        code = error.exit_code
    except _TyperError as error:
        _explain_usage(error, typed)
        code = 2
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    except BrokenPipeError:
        code = 0  # the reader of the output has read enough
    except SystemExit as exit_:
        if not isinstance(exit_.__context__, BrokenPipeError):  # Typer exits with 1 on a closed pipe
            raise
        code = 0
    except Exception as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        unexpected = find_intruders(error) or _unexpected(error)
        _explain(unexpected, typed)
        code = unexpected.exit_code
    release_streams()
    sys.exit(code if isinstance(code, int) else 0)


def _unexpected(error: Exception) -> LenetError:
    """The error that explains one that no command has explained."""
    if isinstance(error, OSError):
        if error.errno in (errno.ENOSPC, errno.EIO):
            problem = f"The output cannot be written: {describe_error(error)}."
            return RunFailedError(problem, "Send it somewhere else.")
        try:
            tempfile.gettempdir()
        except FileNotFoundError:  # libraries need one: matplotlib and Keras, which imports it
            return UsageError("No folder takes temporary files.", "Name one with TMPDIR.")
    return RunFailedError(
        f"Something went wrong that should not: {type(error).__name__}: {error}.",
        "Nothing stored is lost; lenetcli --debug COMMAND shows where it comes from.",
    )


def _explain(error: LenetError, typed: list[str]) -> None:
    from lenetcli.cli.screen import console
    from lenetcli.cli.typed import find_invisible

    if os.environ.get(DEBUG_VARIABLE):
        import traceback

        traceback.print_exc()
    hidden = find_invisible(typed, error.problem)
    console.print_error(f"{error.problem} {hidden}".rstrip(), options.write_advice(error))


def _explain_usage(error: Any, typed: list[str]) -> None:
    """Print an error that Typer found in the arguments."""
    from lenetcli.cli.screen import console
    from lenetcli.cli.typed import find_invisible

    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "lenetcli"
    problem = " ".join(error.format_message().split())
    problem = problem if problem.endswith(("?", ".")) else f"{problem}."
    hidden = find_invisible(typed, problem)
    console.print_error(f"{problem} {hidden}".rstrip(), f"See {command} --help.")
