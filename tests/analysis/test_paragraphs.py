"""Whole texts: the paragraphs on the learning rates of some sweeps, as a report has them."""

import pytest
from helpers.made_up import MadeUpEvidence, rates_sweep, seeds_sweep

from lenetcli.analysis.conclusions import conclude_learning_rates
from lenetcli.analysis.ranking import rank

FLAT = [0.97, 0.98, 0.98, 0.98, 0.98]


TEXTS = [
    (
        rates_sweep(),
        [
            "0.1 works best: after 10 epochs it reaches a validation accuracy of 0.9847. It is ahead of "
            "0.01 by 0.0106 (95% interval 0.0082 to 0.0128); its lead over 0.001 and 0.0001 is larger. The "
            "intervals cover the choice of the 10,000 validation images, by those on which only one of two "
            "networks is right (McNemar’s exact test), and are wider because 3 comparisons are made (Holm). "
            "One network of each rate is compared: another seed may give another result. The best epoch "
            "gives the same answer: 0.9847, against at most 0.9741. On the test set, which played no part "
            "in this choice, 0.1 reaches 0.9847.",
            "The higher the learning rate, the higher the accuracy: 0.3641 at 0.0001, 0.9081 at 0.001, "
            "0.9741 at 0.01 and 0.9847 at 0.1. A step of gradient descent moves the weights by the learning "
            "rate times the gradient, so that a higher rate gets further in the same number of steps. After "
            "one epoch 0.1 already has 0.9701, higher than 0.001 (at most 0.9081) and 0.0001 (at most "
            "0.3641) get in 10. Where a rate is too high, its steps lead past the minimum, and it ends "
            "lower. The highest rate leads here, so that the sweep does not show where that begins; a "
            "higher rate may be better. [lenetcli sweep lr 1 0.3 0.1 0.01 0.001 0.0001]",
            "0.01, 0.001 and 0.0001 have not converged: over the last 5 epochs their accuracy still rises "
            "by 0.0024 an epoch (95% interval 0.0018 to 0.0035), 0.0043 (0.0034 to 0.0066) and 0.0336 "
            "(0.0314 to 0.0349). Their steps are 10, 100 and 1,000 times smaller than those of 0.1, and 10 "
            "epochs are too few of them. From epochs 6–8 to epochs 8–10 the gain an epoch shrinks from "
            "0.0030 to 0.0020 at 0.01 and from 0.0056 to 0.0035 at 0.001; even at the upper end of its "
            "interval, 0.9847 would take at least 4 more epochs at 0.01 and 12 at 0.001. It does not shrink "
            "at 0.0001 (from 0.0323 to 0.0344). 0.1 shows no clear rise over the last 5 epochs. From one "
            "epoch to the next the accuracy falls by more than chance in 1 of 9 cases at 0.1 (by 0.0014, in "
            "epoch 5), a sign of steps that lead past the minimum now and then.",
        ],
    ),
    (
        rates_sweep(seeds=2),
        [
            "0.1 works best: after 10 epochs it reaches a validation accuracy of 0.9849 (mean over 2 "
            "seeds). It is ahead of 0.01 by 0.0105 (95% interval 0.0074 to 0.0136); its lead over 0.001 and "
            "0.0001 is larger. The intervals cover the spread over the seeds (Welch) and the choice of the "
            "10,000 validation images, and are wider because 3 comparisons are made (Holm). The best epoch "
            "gives the same answer: 0.9849 on average, against at most 0.9744. On the test set, which "
            "played no part in this choice, 0.1 reaches 0.9849 (mean over 2 seeds).",
            "The higher the learning rate, the higher the accuracy: 0.3705 at 0.0001, 0.9090 at 0.001, "
            "0.9744 at 0.01 and 0.9849 at 0.1. A step of gradient descent moves the weights by the learning "
            "rate times the gradient, so that a higher rate gets further in the same number of steps. After "
            "one epoch 0.1 already has 0.9704, higher than 0.001 (at most 0.9099) and 0.0001 (at most "
            "0.3768) get in 10. Where a rate is too high, its steps lead past the minimum, and it ends "
            "lower. The highest rate leads here, so that the sweep does not show where that begins; a "
            "higher rate may be better. [lenetcli sweep lr 1 0.3 0.1 0.01 0.001 0.0001 --seeds 2]",
            "0.1, 0.01, 0.001 and 0.0001 have not converged: over the last 5 epochs their accuracy still "
            "rises by 0.0005 an epoch (95% interval 0.0002 to 0.0009), 0.0024 (0.0021 to 0.0027), 0.0043 "
            "(0.0035 to 0.0049) and 0.0332 (0.0325 to 0.0340). At 0.01, 0.001 and 0.0001 the steps are 10, "
            "100 and 1,000 times smaller than those of 0.1, and 10 epochs are too few of them. From epochs "
            "6–8 to epochs 8–10 the gain an epoch shrinks from 0.0030 to 0.0019 at 0.01 and from 0.0056 to "
            "0.0034 at 0.001; even at the upper end of its interval, 0.9849 would take at least 4 more "
            "epochs at 0.01 and 16 at 0.001. It does not shrink at 0.1 (from 0.0001 to 0.0009) and 0.0001 "
            "(from 0.0320 to 0.0340). From one epoch to the next the accuracy falls by more than chance in "
            "2 of 18 cases at 0.1 (at most by 0.0014, in epoch 5 of seed 0), a sign of steps that lead past "
            "the minimum now and then.",
        ],
    ),
    (
        rates_sweep({0.1: FLAT, 0.03: FLAT, 0.01: [0.9, 0.91, 0.92, 0.93, 0.94]}, seeds=2),
        [
            "0.1 and 0.03 work best, and alike: after 5 epochs they reach validation accuracies of 0.9802 "
            "and 0.9802 (means over 2 seeds). 0.1 is ahead of 0.01 by 0.0396 (95% interval 0.0302 to "
            "0.0490). 0.1 is level with 0.03 (95% interval −0.0012 to 0.0012): within ±0.005, which "
            "counts as alike. The intervals cover the spread over the seeds (Welch) and the choice of the "
            "10,000 validation images, and are wider because 2 comparisons are made (Holm). At their best "
            "epochs 0.1 and 0.03 reach the same, 0.9802 on average. On the test set, which played no part "
            "in this choice, 0.1 reaches 0.9802 (mean over 2 seeds).",
            "A step of gradient descent moves the weights by the learning rate times the gradient, so that "
            "a higher rate gets further in the same number of steps. After one epoch 0.1 already has "
            "0.9703, higher than 0.01 (at most 0.9412) gets in 5.",
            "0.01 has not converged: over the last 5 epochs its accuracy still rises by 0.0099 an epoch "
            "(95% interval 0.0098 to 0.0100). Its steps are 10 times smaller than those of 0.1, and 5 "
            "epochs are too few of them. From epochs 1–3 to epochs 3–5 the gain an epoch does not shrink at "
            "0.01 (from 0.0099 to 0.0099). 0.1 and 0.03 show no clear rise over the last 5 epochs.",
        ],
    ),
    (
        rates_sweep({0.1: [0.97, 0.9, 0.98, 0.91, 0.98], 0.01: [0.9, 0.95, 0.92, 0.93, 0.94], 0.001: None}),
        [
            "Of the learning rates 0.1 and 0.01, 0.1 works best: after 5 epochs it reaches a validation "
            "accuracy of 0.9800. It is ahead of 0.01 by 0.0400 (95% interval 0.0357 to 0.0440). The "
            "interval covers the choice of the 10,000 validation images, by those on which only one of two "
            "networks is right (McNemar’s exact test). One network of each rate is compared: another seed "
            "may give another result. The best epoch gives the same answer: 0.9800, against at most 0.9500. "
            "On the test set, which played no part in this choice, 0.1 reaches 0.9800.",
            "A step of gradient descent moves the weights by the learning rate times the gradient, so that "
            "a higher rate gets further in the same number of steps. After one epoch 0.1 already has "
            "0.9700, higher than 0.01 (at most 0.9500) gets in 5.",
            "0.1 and 0.01 show no clear rise over the last 5 epochs. From one epoch to the next the "
            "accuracy falls by more than chance in 2 of 4 cases at 0.1 (at most by 0.0700, in epoch 2) and "
            "in 1 of 4 at 0.01 (by 0.0300, in epoch 3), a sign of steps that lead past the minimum now and "
            "then.",
            "Not finished on the CPU and not compared: learning rate 0.001. [lenetcli sweep lr 0.1 0.01 "
            "0.001 --epochs 5]",
        ],
    ),
    (
        rates_sweep({0.1: [0.5, 0.98], 0.01: [0.4, 0.9]}),
        [
            "0.1 works best: after 2 epochs it reaches a validation accuracy of 0.9800. It is ahead of 0.01 "
            "by 0.0800 (95% interval 0.0742 to 0.0855). The interval covers the choice of the 10,000 "
            "validation images, by those on which only one of two networks is right (McNemar’s exact test). "
            "One network of each rate is compared: another seed may give another result. The best epoch "
            "gives the same answer: 0.9800, against at most 0.9000. On the test set, which played no part "
            "in this choice, 0.1 reaches 0.9800.",
            "A step of gradient descent moves the weights by the learning rate times the gradient, so that "
            "a higher rate gets further in the same number of steps. 2 epochs cannot show which learning "
            "rates have converged; that takes 5.",
        ],
    ),
    (
        rates_sweep({0.1: [0.5, 0.98], 0.01: [0.4, 0.9799]}),
        [
            "0.1 and 0.01 work best, and alike: after 2 epochs they reach validation accuracies of 0.9800 "
            "and 0.9799. 0.1 leads 0.01 by 0.0001 (95% interval −0.0005 to 0.0006): within ±0.005, which "
            "counts as alike. The interval covers the choice of the 10,000 validation images, by those on "
            "which only one of two networks is right (McNemar’s exact test). One network of each rate is "
            "compared: another seed may give another result. The best epoch gives the same answer: 0.9800, "
            "against at most 0.9799. On the test set, which played no part in this choice, 0.1 reaches "
            "0.9800.",
            "2 epochs cannot show which learning rates have converged; that takes 5.",
        ],
    ),
    (
        seeds_sweep({0.1: (0.97, 0.99), 0.01: (0.6, 0.9)}),
        [
            "0.1 works best: after 2 epochs it reaches a validation accuracy of 0.9800 (mean over 2 seeds). "
            "0.1 is ahead, in every seed (0.9700 or more), of 0.01 (0.9000 or less); 2 seeds are too few "
            "for an interval that says so. The best epoch gives the same answer: 0.9800 on average, against "
            "at most 0.7500. On the test set, which played no part in this choice, 0.1 reaches 0.9800 (mean "
            "over 2 seeds).",
            "A step of gradient descent moves the weights by the learning rate times the gradient, so that "
            "a higher rate gets further in the same number of steps. 2 epochs cannot show which learning "
            "rates have converged; that takes 5.",
        ],
    ),
    (
        seeds_sweep({0.1: (0.97, 0.99, 0.98), 0.01: (0.975, 0.98, 0.97), 0.001: (0.96, 0.98, 0.965)}),
        [
            "0.1 has the highest validation accuracy after 2 epochs, 0.9800 (mean over 3 seeds). Whether "
            "0.1 works better than 0.01 or 0.001 cannot be told: it leads 0.01 by 0.0050 (95% interval "
            "−0.0224 to 0.0324) and 0.001 by 0.0117 (−0.0175 to 0.0408); 50 seeds would probably tell. "
            "[lenetcli sweep lr 0.1 0.01 0.001 --epochs 2 --seeds 50] The intervals cover the spread over "
            "the seeds (Welch) and the choice of the 10,000 validation images, and are wider because 2 "
            "comparisons are made (Holm). The best epoch gives the same answer: 0.9800 on average, against "
            "at most 0.9750. On the test set, which played no part in this choice, 0.1 reaches 0.9800 (mean "
            "over 3 seeds).",
            "2 epochs cannot show which learning rates have converged; that takes 5.",
        ],
    ),
    (
        rates_sweep({0.3: [0.97, 0.1], 0.01: [0.1, 0.09], 0.001: None}),
        [
            "Of the learning rates 0.3 and 0.01, none is clearly above guessing after 2 epochs: the highest "
            "accuracy there is 0.1000, of 0.3. At its best epoch 0.3 reaches 0.9700.",
            "2 epochs cannot show which learning rates have converged; that takes 5. 0.01 is never clearly "
            "above guessing: naming the most frequent class for every image gives 0.1000. From one epoch to "
            "the next the accuracy falls by more than chance in 1 of 1 case at 0.3 (by 0.8700, in epoch 2), "
            "a sign of steps that lead past the minimum now and then.",
            "Not finished on the CPU and not compared: learning rate 0.001. [lenetcli sweep lr 0.3 0.01 "
            "0.001 --epochs 2]",
        ],
    ),
    (
        rates_sweep(
            {0.3: [0.9, 0.97, 0.97, 0.97, 0.1], 0.01: [0.2, 0.3, 0.1, 0.099, 0.09]}, seeds=2, spread=0
        ),
        [
            "No learning rate is clearly above guessing after 5 epochs: the highest accuracy there is "
            "0.1000 (mean over 2 seeds), of 0.3. At its best epoch 0.3 reaches 0.9700 on average.",
            "0.3 and 0.01 show no clear rise over the last 5 epochs. From one epoch to the next the "
            "accuracy falls by more than chance in 2 of 8 cases at 0.3 (at most by 0.8700, in epoch 5 of "
            "seed 0) and in 6 of 8 at 0.01 (at most by 0.2000, in epoch 3 of seed 0), a sign of steps that "
            "lead past the minimum now and then.",
        ],
    ),
]


@pytest.mark.parametrize(("sweep", "texts"), TEXTS)
def test_the_paragraphs_of_a_sweep(sweep, texts):
    paragraphs = conclude_learning_rates(sweep, rank(sweep, MadeUpEvidence([sweep])))
    written = [
        " ".join(s.text + (f" [{s.command}]" if s.command else "") for s in paragraph)
        for paragraph in paragraphs
    ]
    assert written == texts
