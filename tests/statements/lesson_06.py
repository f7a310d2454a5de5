"""What lesson 6 states, and what recomputes it."""

from functools import cache

import torch
from proofs.lesson_06 import trained

from course_lib.checks import EXERCISES
from course_lib.checks.lesson_06 import _STAGES, accuracy
from course_lib.checks.lesson_06 import EXERCISES as OWN
from course_lib.data import load_mnist
from course_lib.models import MLP, LeNet5, trace
from course_lib.training import evaluate, train
from statements import Statements

LESSON = Statements("06_cnn_training")

LENET, DENSE = trace(LeNet5(), (1, 28, 28)), trace(MLP(), (1, 28, 28))
SHAPES = [layer.output_shape for layer in LENET.layers]
THREE, FOUR = 6, 9  # filters of the first C3 that saw three maps, and four: quoted, as below


@cache
def dense_network():
    """Percent of the test digits that the dense network names right after the three epochs of section 3."""
    torch.manual_seed(0)
    model = MLP()
    train(model, *load_mnist("train"), epochs=3, progress=False)
    return 100 * evaluate(model, *load_mnist("test"))


@cache
def lenet():
    """The same of a LeNet-5 that was trained as in section 5; the lesson's own test runs the training again."""
    return 100 * accuracy(trained())


LESSON.given(
    "images of 32×32 pixels",
    "LeNet-5",
    "about 97 %",  # quoted
    "(b) when the right digit gets 0.5, (c) when the right digit gets 0.01",
    "e^(1000)",
    "a learning rate of up to 0.1",
    "a dense layer of 256",
    "200 steps of 128 images each",
    "6 saw 3 maps, 9 saw 4 maps, and one saw all 6",  # of the paper of 1998, table I
    "by 1, 2, 3 and 4 pixels",
    "`(N, 1, 28, 28)`",
    "a 6 is a turned 9",
    "the first 6,000 training digits",
)

TRAINING, TEST = (len(load_mnist(split)[1]) for split in ("train", "test"))
LESSON.states("title", "{:,} digits", TRAINING)
LESSON.states("baseline", "all {:,} images", TRAINING)
LESSON.states("baseline", "The {:,} test images", TEST)
LESSON.states("training", "all {:,} images", TRAINING)
LESSON.states("mistakes", "Of {:,} digits", TEST)

POINTS = sum(exercise.points for exercise in OWN)
LESSON.states("plan", "Of the {} points, {} are checked at once and {} ", POINTS + 4, POINTS, 4)
LESSON.states("first-steps", "{} pixels in a row", DENSE.layers[0].output_shape[0])
LESSON.states("baseline-why", "{:,} parameters", DENSE.parameters)
LESSON.states("shuffle", "{} pixels", 28 * 28)

LESSON.states("training", "Each of {:g}, {:g}, {:g} and {:g} % is worth a point", *(round(100 * least, 9) for least in _STAGES))

for cell, template in (
    ("title", "{} of 100 digits that it never saw"),
    ("training", "Then {} % is within reach"),
    ("summary", "{} % in three epochs"),
):
    LESSON.measured(cell, template, printed=99, value=lenet, within=0.5)
LESSON.measured("shift-why", "{} of 100 digits in the middle", printed=99, value=lenet, within=0.5)
LESSON.measured("baseline-why", "about {} % of the digits right", printed=98.4, value=dense_network, within=0.4)

for name, kind, place in (("C1", "Conv2d", 0), ("S2", "MaxPool2d", 0), ("C3", "Conv2d", 1), ("S4", "MaxPool2d", 1)):
    shape = [layer.output_shape for layer in LENET.layers if layer.kind == kind][place]
    LESSON.states("lenet-table", "| " + name + " | {}×{}×{} |", *shape)
for name, place in (("C5", 0), ("F6", 1), ("output", 2)):
    LESSON.states(
        "lenet-table", "| " + name + " | {} |", [layer.output_shape for layer in LENET.layers if layer.kind == "Linear"][place][0]
    )

FILTERS = SHAPES[3][0]
LESSON.states("lenet-cost", "look at all {} maps below: of its {} filters", SHAPES[2][0], FILTERS)
LESSON.states("lenet-cost", "{} parameters in S2 and {} in S4", 2 * SHAPES[2][0], 2 * FILTERS)
LESSON.states("training", "{:,} parameters, less than a third", LENET.parameters)
LESSON.states("shift-why", "all {} values of S4", SHAPES[6][0])

assert LENET.parameters < DENSE.parameters / 3
assert THREE + FOUR + 1 == FILTERS
assert sum(EXERCISES["L6.2"].expected) == LENET.parameters
