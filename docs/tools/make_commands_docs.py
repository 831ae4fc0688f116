"""Writes the commands of docs/commands.md from the code: python docs/tools/make_commands_docs.py."""

import re
from pathlib import Path

import typer

from lenetcli.cli.app import app
from lenetcli.experiment.config import Config
from lenetcli.output.records import RUN_FIELDS

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
BEGIN, END = "<!-- commands: made by docs/tools/make_commands_docs.py -->\n", "<!-- end of commands -->\n"
SKIPPED = {"--help", "--install-completion", "--show-completion"}


def describe_option(parameter) -> str:
    names = ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
    takes = "" if parameter.is_flag else f" `{parameter.metavar}`"
    default = "" if parameter.is_flag or parameter.default is None else f"`{parameter.default}`"
    variable = f" Also: `{parameter.envvar}`." if parameter.envvar else ""
    return f"| {names}{takes.replace('|', chr(92) + '|')} | {default} | {parameter.help}{variable} |"


def describe_command(name: str, command) -> list[str]:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [
        one
        for one in command.params
        if one.param_type_name == "option" and not one.hidden and not SKIPPED & set(one.opts)
    ]
    usage = " ".join(["lenetcli", name, *(one.metavar for one in arguments), *["[OPTIONS]"] * bool(options)])
    lines = [f"### {name}", "", " ".join(command.help.split()), "", f"    {usage}", ""]
    lines += [f"- `{one.metavar}`: {one.help}" for one in arguments] + [""] * bool(arguments)
    if options:
        lines += ["| option | default | |", "| --- | --- | --- |", *map(describe_option, options), ""]
    return lines


def describe_all() -> str:
    group = typer.main.get_command(app)
    lines = [
        "## Options of every command",
        "",
        "They stand before the command: `lenetcli --debug train`.",
        "",
    ]
    lines += ["| option | default | |", "| --- | --- | --- |"]
    lines += [describe_option(one) for one in group.params if not SKIPPED & set(one.opts)]
    lines += ["", "## Commands", ""]
    for name, command in group.commands.items():
        for path, leaf in getattr(command, "commands", {"": command}).items():
            lines += describe_command(f"{name} {path}".strip(), leaf)
    return "\n".join(lines)


def describe_configuration() -> str:
    names = [name for name in RUN_FIELDS if name in Config.__dataclass_fields__ and name != "device"]
    return f"| {', '.join(f'`{name}`' for name in [*names, 'device'])} | the configuration |"


def fill(page: str) -> str:
    page = re.sub(r"^\| .* \| the configuration \|$", describe_configuration(), page, flags=re.MULTILINE)
    made = f"{BEGIN}\n{describe_all()}\n{END}"
    return re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: made, page, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(fill(PAGE.read_text("utf-8")), "utf-8")
