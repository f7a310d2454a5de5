"""Lessons 0 and 1: answers worked out with pencil and paper; those that are wrong in a way that has a name say so."""

import numpy as np

from . import Proof, named, worked_out

ANSWER_4_1 = np.array([[-3, -1], [-1, -3]])
ANSWER_6_3 = np.array([[-2, -1, 4], [3, 0, 7], [16, 11, 22]])


def changed(array, index, value):
    """A copy with one value changed: a slip of the pencil."""
    array = np.array(array)
    array[index] = value
    return array


DESIGN = Proof(
    "6.2",
    wrong={
        "padding before kernel": named("wrong-order", [1, 3, 2]),
        "stride first": named("wrong-order", [2, 3, 1]),
        "kernel of two, order turned": named("wrong-order", [0, 2, 2]),
        "no padding for a kernel of three": named("rounded-up", [3, 0, 2]),
        "kernel of four, no padding": [4, 0, 2],
        "plus one forgotten": named("off-by-one", [2, 1, 2]),
        "padding left out": named("padding-forgotten", [2, 3, 2]),
        "padding counted once": named("padding-once", [5, 4, 2]),
        "stride one": [17, 0, 1.5],
        "nothing happens": [1, 0, 1],
        "stride zero": [3, 1, 0],
        "negative padding": [3, -1, 2],
        "kernel larger than the image": [40, 1, 2],
        "half a pixel": [3, 1.5, 2],
        "only a stride": 2,
        "four numbers": [3, 3, 1, 2],
        "the sizes themselves": named("off-by-one", [32, 16, 2]),
        "half written": [3, 1, ...],
        "in words": "kernel 3, padding 1, stride 2",
    },
    right={
        "the usual one": [3, 1, 2],
        "no padding": [2, 0, 2],
        "pointwise": (1, 0, 2),
        "without stride": [17, 0, 1],
        "kernel of five": np.array([5, 2, 2]),
        "even kernel with padding": [4, 1, 2],
        "kernel of seven": np.array([7.0, 3.0, 2.0]),
        "a kernel that does not overlap": [2, 0, 2],
        "stride one, padded": [np.int64(19), np.int64(1), np.int64(1)],
        "large and far": [31, 15, 2],
    },
)

PROOFS = (
    worked_out("0.1", wrong={"product of all": 2 * 10 * -3, "first two only": 12, "seven": 7, "minus nine": -9, "text": "9"}),
    worked_out(
        "1.1",
        wrong={
            "image turned over": [13, 9, 10, 6],
            "rows and columns as pairs": [[0, 2], [1, 1], [1, 2], [2, 2]],
            "five of them": [2, 5, 6, 9, 10],
            "the zeros": [0, 1, 3, 4, 7, 8, 9, 11, 12, 13, 14, 15],
            "backwards": [10, 6, 5, 2],
            "a mask": [0, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0],
        },
    ),
    worked_out(
        "1.2",
        wrong={
            "one side": (224 * 3 + 1) * 256,
            "four colors": (224 * 224 * 4 + 1) * 256,
            "bias twice": (224 * 224 * 3 + 2) * 256,
            "rounded to millions": 38_500_000,
            "a digit too few": 3_853_542,
            "with a point for thousands": 38.535424,
        },
    ),
    worked_out(
        "3.1",
        wrong={
            "one slip": changed([[5, 0, 5], [0, 5, 0], [5, 0, 5]], (2, 1), 5),
            "all fives": np.full((3, 3), 5),
            "counts of four": [[4, 0, 4], [0, 4, 0], [4, 0, 4]],
            "the kernel": [[5, 0, 5], [0, 1, 0], [5, 0, 5]],
            "a single number": 5,
            "one row": [5, 0, 5, 0, 5, 0, 5, 0, 5],
        },
    ),
    worked_out(
        "3.2",
        wrong={
            "middle weight kept in one row": [[-3, -6], [5, 10]],
            "one slip": [[-3, -6], [3, 8]],
            "signs exchanged in places": [[-3, 6], [3, -6]],
            "one row": [-3, -6],
            "second not begun": [[-3, -6], ...],
            "products": [[1 - 4, 2 - 8], [4 + 1, 8 + 2]],
        },
    ),
    worked_out(
        "4.1",
        wrong={
            "one slip": changed(ANSWER_4_1, (1, 1), -2),
            "signs of the diagonal": [[-3, 1], [1, -3]],
            "flat": [-3, -1, -1, -3],
            "first value": -3,
            "three by three": np.zeros((3, 3)),
            "half written": [[-3, -1], [..., ...]],
            "columns summed, nothing taken away": [[2, 3], [4, 4]],
        },
    ),
    worked_out(
        "4.2A", wrong={"nine": 9, "minus one": -1, "the whole window": [[1, 2, 0], [0, 1, 3], [1, 0, 2]], "three": 3, "a half": 0.5}
    ),
    worked_out(
        "4.2B",
        wrong={
            "ten ninths as an integer": 10 // 9 + 1,
            "sum of four rows": 19 / 9,
            "twelve ninths": 12 / 9,
            "middle left out and rounded": named("middle-left-out", 1.13),
            "a list": [10, 9],
        },
        right={"three decimals": 1.111, "fraction by Python": 10 / 9, "two decimals and a NumPy float": np.float32(1.11)},
    ),
    worked_out(
        "4.2C",
        wrong={
            "one slip": [[1, 3], [0, 1]],
            "rows exchanged": [[0, 2], [1, 3]],
            "columns exchanged": [[3, 1], [2, 0]],
            "one value": 1,
            "the kernel": [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
            "zeros": np.zeros((2, 2)),
        },
    ),
    worked_out(
        "4.3",
        wrong={
            "one slip": [5, 24, 30, 93],
            "only the first two": [5, 24],
            "pairs": [[5, 5], [24, 24], [30, 30], [94, 94]],
            "last one not begun": [5, 24, 30, ...],
            "kernel taken away twice": [1, 18, 26, 86],
            "two too many": [7, 26, 32, 96],
        },
    ),
    worked_out(
        "4.4",
        wrong={
            "one sign forgotten": [[3, 1], [1, -3]],
            "rows exchanged by scipy": [[1, 1], [3, 3]],
            "four in a row": [3, 1, 1, 3],
            "three": 3,
            "zeros": np.zeros((2, 2)),
            "divided": [[1, 1 / 3], [1 / 3, 1]],
        },
    ),
    worked_out(
        "5.1", wrong={"bias twice": 432, "fifteen filters": 390, "bias for each place": 400 + 576, "square of sixteen": 6656, "text": "416"}
    ),
    worked_out(
        "5.1b",
        wrong={
            "bias times three": 1248 + 1,
            "weights only of one": 75,
            "colors squared": 3616,
            "four colors": 1616,
            "a shape": [16, 3, 5, 5],
        },
    ),
    worked_out(
        "5.2",
        wrong={
            "one too large": [16, 25, 25],
            "two sides and a product": [24, 24, 24],
            "number of values": 9216,
            "kernel's side for the maps": [5, 24, 24],
            "with padding of one": [16, 26, 26],
            "columns of the image": [16, 24, 28],
        },
    ),
    worked_out(
        "5.3",
        wrong={
            "inputs and outputs added": 785 + 9216,
            "color": 3 * 784 * 9216,
            "squared": 784**2,
            "per map": 785 * 576 * 15,
            "outputs squared": 9216**2,
        },
    ),
    worked_out(
        "5.4",
        wrong={
            "weights for each column": [5, 7, 21, 3],
            "one kernel only": [5, 7, 3, 3],
            "zeros counted as entries": [5, 7, 35, 3],
            "last not begun": [5, 7, 15, ...],
            "eight inputs": [6, 8, 18, 3],
            "two numbers": [5, 7],
        },
    ),
    worked_out(
        "6.1",
        wrong={
            "one floor forgotten": [26, 28, 28, 14.5, 14, 112],
            "one rounded up": [26, 28, 28, 14, 15, 112],
            "floors of the last three not begun": [26, 28, 28, ..., ..., ...],
            "kernel taken away twice": [24, 26, 24, 13, 12, 109],
            "plus one twice": [27, 29, 29, 15, 15, 113],
            "as in 4.3": [26, 26, 24, 26, 28, 218],
        },
    ),
    worked_out(
        "6.1b",
        wrong={
            "one fraction": [26, 28, 28, 14.5, 14, 112],
            "stride forgotten": [26, 28, 28, 28, 28, 224],
            "numerators": [25, 27, 27, 27, 27, 223],
            "rounded up at the half only once": [26, 28, 28, 15, 14.5, 112.5],
            "a third": [26, 28, 28, 14.33, 14.33, 112.33],
            "five rows": [26, 28, 28, 14.5, 14.5],
        },
    ),
    DESIGN,
    worked_out(
        "6.2b",
        wrong={
            "zero and two": [0, 2],
            "three": [3],
            "one to four": [1, 2, 3, 4],
            "a pair of pairs": [[1], [2]],
            "minus": [-1, -2],
            "fractions": [0.5, 1],
        },
    ),
    worked_out(
        "6.3",
        wrong={
            "one slip in a corner": changed(ANSWER_6_3, (0, 0), -3),
            "one slip at an edge": changed(ANSWER_6_3, (1, 2), 8),
            "borders left at zero": [[0, 0, 0], [0, 0, 0], [0, 0, 0]],
            "transposed": ANSWER_6_3.T,
            "upside down": ANSWER_6_3[::-1],
            "five by five": np.pad(ANSWER_6_3, 1),
            "last row not begun": [[-2, -1, 4], [3, 0, 7], [..., ..., ...]],
        },
    ),
    worked_out(
        "6.3b",
        wrong={
            "one slip": [[-4, -3, -2], [-1, 0, 1], [2, 3, 5]],
            "corners as in 6.3": [[-2, -3, 4], [-1, 0, 1], [16, 3, 22]],
            "zeros": np.zeros((3, 3)),
            "transposed": [[-4, -1, 2], [-3, 0, 3], [-2, 1, 4]],
            "one row": [-4, -3, -2, -1, 0, 1, 2, 3, 4],
            "doubled": [[-8, -6, -4], [-2, 0, 2], [4, 6, 8.5]],
        },
    ),
    worked_out(
        "6.4",
        wrong={
            "all nine": [9, 9, 9, 0],
            "products forgotten": [2, 3, 3, 2],
            "sums for products": [4, 5, 6, 2],
            "one count off": [4, 6, 8, 2],
            "padding not begun": [4, 6, 9, ...],
            "side of the image": [4, 6, 9, 5],
        },
    ),
    worked_out(
        "6.5",
        wrong={
            "kernel of three": [10, 12, 2],
            "as with an odd kernel": [10, 11, 3],
            "zeros not begun": [9, 11, ...],
            "one zero": [9, 11, 1],
            "sizes with p = 0 and 1": [7, 9, 3],
            "two sizes": [9, 11],
        },
    ),
    worked_out(
        "6.6",
        wrong={
            "row and column exchanged in one": [[0, 0], [2, 0], [2, 0], [2, 2]],
            "one window too far": [[0, 0], [0, 2], [2, 0], [2, 4]],
            "middles": named("counted-from-one", [[1, 1], [1, 3], [3, 1], [3, 3]]),
            "last two not begun": [[0, 0], [0, 2], ..., ...],
            "rows only": [0, 0, 2, 2],
            "all starts on a diagonal": [[0, 0], [1, 1], [2, 2], [3, 3]],
        },
    ),
)
