"""Commands whose options are made from the table of parameters."""

from typing import Annotated

import pytest
import typer

from lenetcli.cli.options import TRAINING, SeedsOption, with_request
from lenetcli.errors import UsageError
from lenetcli.experiment.config import Precision, Request


@pytest.fixture
def calls(monkeypatch):
    """What the commands were called with."""
    monkeypatch.delenv("LENETCLI_DATA", raising=False)
    return []


@pytest.fixture
def app(calls):
    app = typer.Typer()

    @app.command()
    @with_request(*TRAINING)
    def say(
        what: Annotated[str, typer.Argument()],
        values: Annotated[list[str], typer.Argument()],
        request: Request,
        seeds: SeedsOption = None,
        loud: Annotated[bool, typer.Option("--loud")] = False,
    ):
        calls.append((what, values, request, seeds, loud))

    return app


def test_a_command_gets_a_whole_request_beside_its_own_arguments(app, calls):
    words = ["lr", "--batch-size", "8", "0.1", "--loud", "--lr", "1e-3", "0.2", "--precision", "BFLOAT16"]
    app(words, standalone_mode=False)
    request = Request(batch_size=8, lr=0.001, precision=Precision.BFLOAT16)
    assert calls == [("lr", ["0.1", "0.2"], request, None, True)]


def test_nothing_typed_is_the_default_request(app, calls):
    app(["lr", "1", "--seeds", "3"], standalone_mode=False)
    assert calls == [("lr", ["1"], Request(), 3, False)]
    assert type(calls[0][2].momentum) is float  # 0 would be another key than 0.0


def test_options_stand_in_the_order_of_their_names(app):
    names = [parameter.name for parameter in typer.main.get_command(app).params]
    assert names[:2] == ["what", "values"]
    assert names[2 : 2 + len(TRAINING)] == TRAINING
    assert names[2 + len(TRAINING)] == "loud"
    assert names[names.index("seed") + 1] == "seeds"


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("FashionMNIST", "fashion-mnist"),
        ("fashion_mnist", "fashion-mnist"),
        ("KMNIST", "kmnist"),
        ("x y", "x y"),
    ],
)
def test_a_data_set_is_known_in_each_spelling(app, calls, typed, name):
    app(["lr", "1", "--dataset", typed], standalone_mode=False)
    assert calls[0][2].dataset == name


def test_data_of_the_environment_yields_to_a_data_set_that_is_named(app, calls, monkeypatch):
    monkeypatch.setenv("LENETCLI_DATA", "there")
    for words in ((), ("--dataset", "kmnist"), ("--dataset", "kmnist", "--data", "there")):
        app(["lr", "1", *words], standalone_mode=False)
    assert [call[2].data for call in calls] == ["there", None, "there"]


@pytest.mark.parametrize("wrong", [("--filters", "1.5"), ("--lr", "nan"), ("--precision", "float64")])
def test_a_wrong_value_is_quoted(app, calls, wrong):
    with pytest.raises(UsageError, match=repr(wrong[1])):
        app(["lr", "1", *wrong], standalone_mode=False)
    assert not calls


def test_only_the_fields_named_are_options(calls):
    app = typer.Typer()

    @app.command()
    @with_request("epochs")
    def say(request: Request):
        calls.append(request)

    app(["--epochs", "2"], standalone_mode=False)
    assert calls == [Request(epochs=2)]
    with pytest.raises(typer.BadParameter.__mro__[2], match="--lr"):
        app(["--lr", "0.5"], standalone_mode=False)
