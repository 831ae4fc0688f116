"""The command line: Typer, and the one place where errors become exit codes.

Commands import what they need when they run: ``--help`` loads nothing but Typer.
"""

import os
import sys
from typing import Annotated, Any

import typer

from lenetcli import __version__
from lenetcli.cli import reproduce, training, views
from lenetcli.errors import LenetError, RunFailedError

DEBUG_VARIABLE = "LENETCLI_DEBUG"

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Small-CNN experiments that can be trusted: train, sweep, measure, plot and report.",
)
app.command()(training.train)
# A negative value is told about its parameter, not about an option that does not exist.
app.command(context_settings={"ignore_unknown_options": True})(training.sweep)
app.command()(reproduce.reproduce)
app.command()(views.plot)
app.command()(views.report)
app.add_typer(views.runs_app, name="runs")
app.add_typer(views.sweeps_app, name="sweeps")
app.command()(views.data)
app.command()(views.devices)


def _show_version(wanted: bool) -> None:
    if wanted:
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
    if debug:
        os.environ[DEBUG_VARIABLE] = "1"


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line and leave the process with its exit code."""
    import click

    try:
        code = app(args=arguments, standalone_mode=False)
        sys.stdout.flush()
    except LenetError as error:
        _explain(error)
        code = error.exit_code
    except click.ClickException as error:
        code = _explain_usage(error)
    except (click.Abort, KeyboardInterrupt):
        code = 130
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        _explain(
            RunFailedError(
                f"Something went wrong that should not: {type(error).__name__}: {error}.",
                "Nothing stored is lost; lenetcli --debug … shows where it comes from.",
            )
        )
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def _explain(error: LenetError) -> None:
    if os.environ.get(DEBUG_VARIABLE):
        import traceback

        traceback.print_exc()
    from lenetcli.render import print_error

    print_error(error.problem, error.advice)


def _explain_usage(error: Any) -> int:
    """What Typer itself found wrong with the words typed."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return 2
    from lenetcli.render import print_error

    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "lenetcli"
    print_error(error.format_message().rstrip(".") + ".", f"See {command} --help.")
    return 2
