"""What is said of data whose accuracies would mislead."""

import pytest

from lenetcli.experiment.dataset_faults import find_faults, write_faults
from lenetcli.experiment.datasets import DIGITS, Pixels, Summary, name_classes

EVEN, FEW = (500,) * 10, (100,) * 10
GREY = Pixels(0, 255, False)


def summary(train=EVEN, validation=FEW, test=FEW, repeats=600, pixels=(GREY, GREY)):
    return Summary(train=train, validation=validation, test=test, repeats=repeats, pixels=pixels)


def test_sound_data_has_none():
    assert find_faults(summary(), "digits") == []
    assert find_faults(summary(test=(), pixels=(GREY,)), "digits") == []


@pytest.mark.parametrize(
    ("facts", "said", "is_of_order"),
    [
        (
            {"train": (600,) * 8 + (200, 0), "validation": (0,) * 8 + (400, 600), "repeats": 5990},
            [
                "The training images are sorted by class, and the last sixth of them validates. None of the "
                "training images is of class 9. The validation images are of the classes 8 and 9 alone."
            ],
            True,
        ),
        ({"repeats": 5990}, ["The training images are sorted by class"], True),
        (
            {"train": (500,) * 9 + (0,), "validation": (100,) * 9 + (60,)},
            ["None of the training images is of class 9."],
            True,
        ),
        (
            {"train": (*EVEN[:9], 0), "validation": (*FEW[:9], 0), "test": (*FEW[:9], 0)},
            ["There is no image of class 9."],
            False,
        ),
        (
            {"train": (9000, *(20,) * 9), "validation": (1800, *(4,) * 9), "repeats": 9700},
            ["98% of the training images are of class 0. 98% of the validation images are of class 0."],
            False,
        ),
        ({"pixels": (Pixels(0, 1, False),) * 2}, ["The pixels of the images are 0 and 1"], False),
        ({"pixels": (GREY, Pixels(0, 1, False))}, ["The pixels of the test images are 0 and 1"], False),
        ({"pixels": (Pixels(0, 15, False),) * 2}, ["lie between 0 and 15 of 255"], False),
        ({"pixels": (Pixels(3, 200, True),) * 2}, ["All images are the same."], False),
        # What a store of an earlier version knows.
        (
            {"train": (), "test": (), "validation": (0,) * 8 + (3, 3), "repeats": 0, "pixels": ()},
            ["The validation images are of the classes 8 and 9 alone."],
            False,
        ),
    ],
)
def test_each_fault_is_named_with_its_classes(facts, said, is_of_order):
    faults = find_faults(summary(**facts), "digits")
    assert [words in fault.text for words, fault in zip(said, faults, strict=True)] == [True] * len(said)
    assert [fault.is_of_order for fault in faults] == [is_of_order] * len(faults)


def test_classes_have_the_names_of_their_data_and_order_has_a_remedy():
    sorted_data = summary((600,) * 8 + (200, 0), (0,) * 8 + (400, 600), repeats=5990)
    (sentence,) = write_faults(sorted_data, "fashion-mnist", "my data")
    assert "class 9 (ankle boot)" in sentence
    assert sentence.endswith("lenetcli data --data 'my data' --shuffle shuffled.npz")
    assert name_classes("anything") == DIGITS


def test_a_summary_survives_json():
    assert Summary.from_mapping(summary().to_mapping()) == summary()
