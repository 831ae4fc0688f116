"""The conditions under which epochs were timed: what decides their speed besides the filters."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

from lenetcli.experiment.config import Config, DeviceKind
from lenetcli.experiment.parameters import PARAMETERS, describe_config
from lenetcli.experiment.recipes import choose_shards, name_recipe
from lenetcli.experiment.run import Attempt, Run
from lenetcli.words import plural

CHANGES = {
    "device_name": "on several devices",
    "host": "on several hosts",
    "threads": "with several numbers of threads",
    "versions": "with several versions of the software",
}
"""For each condition that can change within a run, how the epochs were then measured."""

UNSAID = {"filters", "seed", "data", "device", "recipe"}
"""The fields of a configuration that are no part of the texts on its setting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Setting, device, machine and software of timed epochs: times of other conditions are another curve.

    ``setting`` is the configuration without filters and seed, and without shards where they are the default,
    which may follow from the filters. ``threads`` are 0 for a GPU, where they do not matter.
    """

    setting: Config
    device_name: str
    host: str
    threads: int
    versions: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, config: Config, attempt: Attempt) -> Self:
        """The conditions of the epochs that an attempt at a run of a configuration has timed."""
        default = choose_shards(config.filters, config.batch_size, config.device, config.recipe)
        shards = 0 if config.shards == default else config.shards
        # A commit changes more often than the speed does.
        versions = sorted((name, text) for name, text in attempt.versions.items() if name != "commit")
        return cls(
            setting=replace(config, filters=0, seed=0, shards=shards),
            device_name=attempt.device_name,
            host=attempt.host,
            threads=0 if config.device is DeviceKind.GPU else attempt.threads,
            versions=tuple(versions),
        )

    @property
    def kind(self) -> DeviceKind:
        """The kind of the device."""
        return self.setting.device


def find_conditions(run: Run) -> list[Conditions]:
    """The conditions of the timings of a run that count, in the order of their first epochs."""
    return list(dict.fromkeys(Conditions.of(run.config, attempt) for attempt, _ in run.measurement))


def describe_changes(conditions: Sequence[Conditions]) -> str:
    """How a run with several conditions was measured: ``on several hosts``; empty with one."""
    changes = (text for name, text in CHANGES.items() if len({getattr(c, name) for c in conditions}) > 1)
    return next(changes, "")


def write_labels(
    conditions: Sequence[Conditions], names: Mapping[str, str], recipes: Collection[int]
) -> list[str]:
    """The labels of series of different conditions: the device, and all in which they differ.

    ``names`` are those of the data sets by hash, ``recipes`` those of the store.
    """
    settings = [one.setting for one in conditions]
    among = {*recipes, *(setting.recipe for setting in settings)}

    def write(fields_shown: Sequence[str]) -> list[str]:
        columns = [
            [_label_device(one, conditions) for one in conditions],
            [names[setting.data] for setting in settings],
            *([_describe(setting, name) for setting in settings] for name in fields_shown),
            [name_recipe(setting.recipe, among) for setting in settings],
        ]
        shown = [column for column in columns[1:] if len(set(column)) > 1]
        return [", ".join(filter(None, parts)) for parts in zip(columns[0], *shown, strict=True)]

    # Shards are a label only if nothing else tells the series apart.
    differing = _find_differing(settings)
    labels = write([name for name in differing if name != "shards"])
    return labels if len(set(labels)) == len(labels) else write(differing)


def _describe(setting: Config, name: str) -> str:
    """A parameter of a setting with its name; nothing for the default number of shards."""
    value = getattr(setting, name)
    return "" if name == "shards" and not value else PARAMETERS[name].describe(value)


def _find_differing(settings: Sequence[Config]) -> list[str]:
    """The names of the parameters in which settings differ, but for data, device and recipe."""
    names = [field.name for field in fields(Config) if field.name not in UNSAID]
    return [name for name in names if len({getattr(setting, name) for setting in settings}) > 1]


def describe_settings(conditions: Sequence[Conditions]) -> str:
    """What the settings of several conditions have in common, for a title."""
    settings = [one.setting for one in conditions]
    return describe_config(settings[0], "filters", "shards", *_find_differing(settings))


def _label_device(one: Conditions, conditions: Sequence[Conditions]) -> str:
    """The device of a series, with what tells it from the same device in others."""
    alike = [other for other in conditions if (other.kind, other.device_name) == (one.kind, one.device_name)]
    parts = [one.device_name]
    if len({other.host for other in alike}) > 1:
        parts.append(f"host {one.host}")
    if len({other.threads for other in alike}) > 1:
        parts.append(plural(one.threads, "thread"))
    common = set(one.versions).intersection(*(other.versions for other in alike))
    parts += [f"{name} {text}" for name, text in one.versions if (name, text) not in common]
    return f"{one.kind.value.upper()} ({', '.join(parts)})"
