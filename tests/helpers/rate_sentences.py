"""The sentences on learning rates as patterns, by the name of the look at them."""

RATE = r"\d+(?:\.\d+)?"
RATES = rf"{RATE}(?:, {RATE})*(?: (?:and|or) {RATE})?"
ACC = r"\d\.\d{4,9}"
DIFF = r"−?\d\.\d{4,9}"
INTERVAL = rf"(?: \((?:95% interval )?{DIFF} to {DIFF}\))?"
MEAN = r"(?: \(means? over (?P<seeds>\d+) seeds\))?"
AVERAGE = r"(?P<mean> on average)?"
SCOPE = (
    rf"(?:Of the learning rates (?P<scope>{RATES}), "
    r"(?:over the (?P<common>\d+) seeds? that all of them have finished, )?)?"
)
AFTER = r"after (?P<epochs>\d+) epochs?"


def many(part):
    """A list in words."""
    return rf"{part}(?:, {part})*(?: and {part})?"


LEADS = many(rf"{RATE} by {DIFF}{INTERVAL}")
LEVEL = many(rf"{RATE}{INTERVAL}")
GAINS = many(rf"from {DIFF} to {DIFF} at {RATE}")
SLOPES = many(rf"{DIFF}(?: an epoch)?{INTERVAL}")
NEEDED = many(rf"\d[\d,]*(?: more epochs?)? at {RATE}")
STEADY = many(rf"{RATE} \(from {DIFF} to {DIFF}\)")
FALLS = many(rf"in \d+ of \d+(?: cases?)? at {RATE} \((?:at most )?by {ACC}, in epoch \d+(?: of seed \d+)?\)")
COUNT = r"\d[\d,]*(?:\.\d+)?"

SENTENCES = {
    "unlike": r"The learning rates are not ranked: their runs differ in more than the rate\.",
    "nothing_ranked": r"No learning rate can be ranked\.",
    "only": (
        rf"(?P<subject>(?:With |Only the learning rate )?(?P<rate>{RATE})(?:, the only learning rate of the "
        r"sweep,| is the only learning rate that has not diverged:| is the only learning rate that can be "
        r"ranked so far:| has a finished run:| has finished runs:))"
        rf" the validation accuracy {AFTER} is (?P<final>{ACC}){MEAN}, and (?P<best>{ACC}) at the best "
        rf"epoch\."
    ),
    "none_learned": (
        rf"{SCOPE}(?:none|No learning rate) is clearly above guessing {AFTER}: the highest accuracy there is "
        rf"(?P<final>{ACC}){MEAN}, of (?P<first>{RATE})\. At its best epoch (?P<peak>{RATE}) reaches "
        rf"(?P<best>{ACC}){AVERAGE}\."
    ),
    "highest": (
        rf"{SCOPE}(?P<names>{RATES}) ha(?:s|ve) the highest validation accuracy {AFTER}, "
        rf"(?P<final>{ACC}){MEAN}\."
    ),
    "alike_best": (
        rf"{SCOPE}(?P<names>{RATES}) work best, and alike: {AFTER} they reach validation accuracies of "
        rf"(?P<accuracies>{many(ACC)}){MEAN}\."
    ),
    "best": (
        rf"{SCOPE}(?P<first>{RATE}) works best: {AFTER} it reaches a validation accuracy of "
        rf"(?P<final>{ACC}){MEAN}\."
    ),
    "ahead": (
        rf"(?P<subject>It|{RATE}) is ahead of (?P<leads>{RATE} by {DIFF}{INTERVAL})"
        rf"(?:; its lead over (?P<others>{RATES}) is (?P<more>as large or )?larger)?\."
    ),
    "apart": (
        rf"(?P<first>{RATE}) is (?P<also>also )?ahead, in every seed \((?P<lowest>{ACC}) or more\), of "
        rf"(?P<others>{many(rf'{RATE} [(]{ACC} or less[)]')}); (?P<count>\d+) seeds are too few for an "
        r"interval that says so\."
    ),
    "alike": (
        rf"(?P<first>{RATE})(?: leads (?P<leads>{LEADS}))?(?P<both> and)?"
        rf"(?: is level with (?P<level>{LEVEL}))?: within ±(?P<limit>[\d.]+), which counts as alike\."
    ),
    "method": (
        r"The (?P<subject>interval covers|intervals cover) "
        r"(?:the spread over the seeds \((?P<welch>Welch)\)"
        r"(?: and the choice of the (?P<floor>[\d,]*\d) validation images)?"
        r"|the choice of the (?P<images>[\d,]*\d) validation images, by "
        r"(?:those on which only one of two networks is right \((?P<mcnemar>McNemar)’s exact test\)"
        r"|the accuracies alone, as the predictions are not in the store \((?P<newcombe>Newcombe)\)))"
        r"(?:, and (?:is|are) wider because (?P<family>\d+) comparisons are made \(Holm\))?\."
        r"(?P<caveat> One network of each rate is compared: another seed may give another result\.)?"
    ),
    "undecided": (
        rf"Whether (?P<first>{RATE}) works better than (?P<names>{RATES}) cannot be told: "
        rf"(?:it(?: leads (?P<leads>{LEADS}))?(?P<both> and)?(?: is level with (?P<level>{LEVEL}))?"
        rf"|(?P<unknown>the store has neither the predictions nor the number "
        rf"of "
        r"the validation images)); (?:the (?P<few>[\d,]*\d) validation images are too few to tell, with any "
        r"seeds|it would probably take more than (?P<over>\d+) seeds|(?P<seeds>\d+) seeds would probably "
        r"tell)\."
    ),
    "same_best_epoch": (
        rf"The best epoch gives the same answer: (?P<accuracy>{ACC}){AVERAGE}, against at most "
        rf"(?P<rival>{ACC})\."
    ),
    "equal_best_epoch": (
        rf"At their best epochs (?P<names>{RATES}) reach the same, (?P<accuracy>{ACC}){AVERAGE}\."
    ),
    "other_best_epoch": (
        rf"The best epoch (?:puts (?P<peak>{RATE}) first of these|names another winner, (?P<other>{RATE})): "
        rf"its best accuracy is (?P<accuracy>{ACC})"
        rf"{AVERAGE}, against (?P<against>{ACC}) of (?P<first>{RATE}), and it ends (?P<below>{ACC}) below "
        rf"it\."
    ),
    "test": (
        rf"On the test set, which played no part in this choice, (?P<first>{RATE}) reaches "
        rf"(?P<accuracy>{ACC}){MEAN}\."
    ),
    "order": (
        r"The (?P<trend>higher|lower) the learning rate, the higher the accuracy: "
        rf"(?P<listed>{many(rf'{ACC} at {RATE}')})\."
    ),
    "reason": (
        r"A step of gradient descent moves the weights by the learning rate times the gradient, so that a "
        r"higher rate gets further in the same number of steps\."
    ),
    "speed": (
        rf"After one epoch (?P<first>{RATE}) already has (?P<accuracy>{ACC}), higher than "
        rf"(?P<limits>{many(rf'{RATE} [(]at most {ACC}[)]')}) (?P<verb>gets?) in (?P<epochs>\d+)\."
    ),
    "too_high": (
        rf"(?P<clauses>{many(rf'{RATE} (?:reaches only {ACC}|diverged)')}): steps of this size lead past the "
        r"minimum\."
    ),
    "edge": (
        r"Where a rate is too high, its steps lead past the minimum, and it ends lower\. The highest rate "
        r"leads here, so that the sweep does not show where that begins; a higher rate may be better\."
    ),
    "unknown_convergence": (
        r"(?P<epochs>\d+) epochs? cannot show which learning rates have converged; that takes 5\."
    ),
    "rising": (
        rf"(?P<names>{RATES}) (?:has|have) not converged: over the last (?P<window>\d+) epochs (?:its|their) "
        rf"accuracy still rises by (?P<gains>{SLOPES})\."
    ),
    "small_steps": (
        rf"(?:(?P<owner>Its|Their)|At (?P<names>{RATES}) the) steps are (?P<factors>{many(COUNT)}) times "
        rf"smaller "
        rf"than those of (?P<first>{RATE}), and (?P<epochs>\d+) epochs are too few of them\."
    ),
    "pace": (
        r"From epochs (?P<begin>\d+–\d+) to epochs (?P<end>\d+–\d+) the gain an epoch"
        rf"(?: shrinks (?P<shrinking>{GAINS}))?"
        rf"(?:; even at the upper end of its interval, (?P<goal>{ACC}) would take at least "
        rf"(?P<needed>{NEEDED}))?"
        rf"(?:(?:\. It)? does not shrink at (?P<steady>{STEADY}))?\."
    ),
    "level": rf"(?P<names>{RATES}) shows? no clear rise over the last (?P<window>\d+) epochs\.",
    "guess": (
        rf"(?P<names>{RATES}) (?P<verb>is|are) never clearly above guessing: naming the most frequent class "
        rf"for "
        rf"every image gives (?P<share>{ACC})\."
    ),
    "fall": (
        r"From one epoch to the next the accuracy falls by more than chance "
        rf"(?P<clauses>{FALLS})(?P<reason>, a sign of steps that lead past the minimum now and then)?\."
    ),
    "unfinished": (
        r"Not finished on the (?P<device>CPU|GPU) and not compared: learning rate (?P<values>\d[\d., "
        r"and()seed]*)\."
    ),
    "diverged": (
        r"Diverged on the (?P<device>CPU|GPU) and not compared: learning rate (?P<values>\d[\w., ()]*\))\."
    ),
}
"""The pattern of each whole statement; its groups are what the look of that name checks."""
