"""Lesson 6: losses, training steps and networks as students write them, right and wrong.

A function's name says what it does. `rejects("slug")` means: wrong, and to be called so. `rejects("slug", None)`: the name would be true,
but the slip shows in another way than the misconception, so it may go unnamed. `rejects()`: wrong, and nothing that has a name.
"""

import functools
import itertools
import math
from pathlib import Path

import numpy as np
import scipy.ndimage
import scipy.special
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.models import MLP, LeNet5

from . import Proof, Wrong, named, worked_out

CROSS_ENTROPY, TRAIN_STEP, MAKE_LENET, TRAINED_LENET, MOST_CONFUSED, SHIFTED, RESTORED = (
    Proof(name) for name in ("cross_entropy", "train_step", "make_lenet", "trained_lenet", "most_confused", "shifted", "restored")
)

# ================================================================================================ cross_entropy: right ones


@CROSS_ENTROPY.accepts
def scipys_log_softmax(scores, labels):
    return -np.mean(scipy.special.log_softmax(scores, axis=1)[np.arange(len(labels)), labels])


@CROSS_ENTROPY.accepts
def scipys_logsumexp(scores, labels):
    return (scipy.special.logsumexp(scores, axis=1) - np.take_along_axis(scores, labels[:, None], 1)[:, 0]).mean()


@CROSS_ENTROPY.accepts
def torchs_own_as_a_tensor(scores, labels):
    return F.cross_entropy(torch.tensor(scores, dtype=torch.float64), torch.tensor(labels))


@CROSS_ENTROPY.accepts
def one_hot_and_einsum(scores, labels):
    shifted = scores - scores.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -np.einsum("nk,nk->", np.eye(scores.shape[1])[labels], log_p) / len(labels)


@CROSS_ENTROPY.accepts
def plain_python(scores, labels):
    total = 0.0
    for row, label in zip(scores.tolist(), labels.tolist(), strict=True):
        highest = max(row)
        total += math.log(sum(math.exp(score - highest) for score in row)) - (row[label] - highest)
    return total / len(labels)


@CROSS_ENTROPY.accepts
def folded_with_logaddexp(scores, labels):
    return np.mean([functools.reduce(np.logaddexp, row.astype(float)) - row[label] for row, label in zip(scores, labels, strict=True)])


@CROSS_ENTROPY.accepts
def differences_to_the_right_score(scores, labels):
    right = scores[np.arange(len(labels)), labels][:, None].astype(float)
    return np.logaddexp.reduce(scores - right, axis=1).mean()


@CROSS_ENTROPY.accepts
def as_an_array_of_one_without_axes(scores, labels):
    return np.array(scipys_log_softmax(scores, labels))


@CROSS_ENTROPY.accepts
def recursion_over_the_images(scores, labels):
    def total(n):
        return 0.0 if n == len(labels) else scipy.special.logsumexp(scores[n]) - scores[n][labels[n]] + total(n + 1)

    return total(0) / len(labels)


# ================================================================================================ cross_entropy: wrong ones


def probabilities(scores, axis=1):
    return scipy.special.softmax(scores, axis=axis)


@CROSS_ENTROPY.rejects("overflow")
def textbook_softmax(scores, labels):
    powers = np.exp(scores)
    return -np.mean(np.log(powers[range(len(labels)), labels] / powers.sum(1)))


@CROSS_ENTROPY.rejects("log-of-zero")
def stable_softmax_and_then_its_logarithm(scores, labels):
    return -np.log(probabilities(scores)[np.arange(len(labels)), labels]).mean()


@CROSS_ENTROPY.rejects("log-of-zero")
def fractions_by_hand_and_their_logarithm(scores, labels):
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.mean([-np.log(row[label] / row.sum()) for row, label in zip(powers, labels, strict=True)])


@CROSS_ENTROPY.rejects("small-number-added")
def clipped_from_below(scores, labels):
    return -np.log(np.clip(probabilities(scores)[np.arange(len(labels)), labels], 1e-12, 1)).mean()


@CROSS_ENTROPY.rejects()
def a_small_number_inside_the_logarithm(scores, labels):
    return -np.log(probabilities(scores)[np.arange(len(labels)), labels] + 1e-9).mean()


@CROSS_ENTROPY.rejects("overflow", None)
def largest_of_all_subtracted_and_then_the_fraction(scores, labels):
    powers = np.exp(scores - scores.max())
    return -np.log(powers[np.arange(len(labels)), labels] / powers.sum(axis=1)).mean()


@CROSS_ENTROPY.rejects("sum-not-mean")
def added_up(scores, labels):
    return sum(scipy.special.logsumexp(row) - row[label] for row, label in zip(scores, labels, strict=True))


@CROSS_ENTROPY.rejects("loss-by-image")
def torch_without_reduction(scores, labels):
    return F.cross_entropy(torch.tensor(scores, dtype=torch.float64), torch.tensor(labels), reduction="none")


@CROSS_ENTROPY.rejects("softmax-twice")
def probabilities_into_torch(scores, labels):
    return F.cross_entropy(torch.tensor(probabilities(scores.astype(float))), torch.tensor(labels))


@CROSS_ENTROPY.rejects("sign-forgotten")
def mean_log_probability(scores, labels):
    return scipy.special.log_softmax(scores, axis=1)[np.arange(len(labels)), labels].mean()


@CROSS_ENTROPY.rejects("no-return")
def printed(scores, labels):
    print(scipys_logsumexp(scores, labels))


@CROSS_ENTROPY.rejects()
def mean_over_images_and_classes(scores, labels):
    return -(np.eye(scores.shape[1])[labels] * scipy.special.log_softmax(scores, axis=1)).mean()


@CROSS_ENTROPY.rejects()
def squared_error(scores, labels):
    return ((probabilities(scores) - np.eye(scores.shape[1])[labels]) ** 2).sum(1).mean()


@CROSS_ENTROPY.rejects()
def the_probability_that_is_missing(scores, labels):
    return (1 - probabilities(scores)[np.arange(len(labels)), labels]).mean()


@CROSS_ENTROPY.rejects()
def share_of_wrong_answers(scores, labels):
    return (scores.argmax(1) != labels).mean()


@CROSS_ENTROPY.rejects()
def first_image_only(scores, labels):
    return scipys_logsumexp(scores[:1], labels[:1])


@CROSS_ENTROPY.rejects()
def labels_counted_from_one(scores, labels):
    return -scipy.special.log_softmax(scores, axis=1)[np.arange(len(labels)), labels - 1].mean()


@CROSS_ENTROPY.rejects()
def all_pairs_of_images_and_labels(scores, labels):
    return -scipy.special.log_softmax(scores, axis=1)[:, labels].mean()


@CROSS_ENTROPY.rejects()
def divided_by_the_classes(scores, labels):
    return scipys_logsumexp(scores, labels) * len(labels) / scores.shape[1]


# ================================================================================================ train_step: right ones


@TRAIN_STEP.accepts
def as_in_the_lesson(model, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


@TRAIN_STEP.accepts
def gradients_cleared_at_the_end(model, optimizer, images, labels):
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


@TRAIN_STEP.accepts
def cleared_between_loss_and_backward(model, optimizer, images, labels):
    loss = nn.CrossEntropyLoss()(model(images), labels)
    model.zero_grad()
    loss.backward()
    optimizer.step()
    return float(loss)


@TRAIN_STEP.accepts
def by_log_softmax_and_nll(model, optimizer, images, labels):
    for parameter in model.parameters():
        parameter.grad = None
    loss = F.nll_loss(F.log_softmax(model(images), dim=1), labels)
    loss.backward()
    optimizer.step()
    return loss.detach().numpy()


@TRAIN_STEP.rejects("loss-still-a-tensor")
def loss_returned_as_a_tensor(model, optimizer, images, labels):
    optimizer.zero_grad(set_to_none=False)
    loss = -model(images).log_softmax(1)[torch.arange(len(labels)), labels].mean()
    loss.backward()
    optimizer.step()
    return loss.detach()


@TRAIN_STEP.accepts
def by_indexing_the_log_probabilities(model, optimizer, images, labels):
    optimizer.zero_grad(set_to_none=False)
    loss = -model(images).log_softmax(1)[torch.arange(len(labels)), labels].mean()
    loss.backward()
    optimizer.step()
    return loss.tolist()


@TRAIN_STEP.accepts
def a_closure(model, optimizer, images, labels):
    def closure():
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        return loss

    return np.float32(optimizer.step(closure).item())


@TRAIN_STEP.accepts
def gradients_asked_for_one_by_one(model, optimizer, images, labels):
    loss = F.cross_entropy(model(images), labels)
    parameters = list(model.parameters())
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        parameter.grad = gradient
    optimizer.step()
    return loss.item()


@TRAIN_STEP.accepts
def image_by_image(model, optimizer, images, labels):
    optimizer.zero_grad()
    total = 0.0
    for image, label in zip(images, labels, strict=True):
        loss = F.cross_entropy(model(image[None]), label[None]) / len(labels)
        loss.backward()  # adding up is what is wanted here
        total += loss.item()
    optimizer.step()
    return total


# ================================================================================================ train_step: wrong ones


@TRAIN_STEP.rejects("gradients-pile-up")
def never_cleared(model, optimizer, images, labels):
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


@TRAIN_STEP.rejects("gradients-erased")
def cleared_before_the_step(model, optimizer, images, labels):
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


@TRAIN_STEP.rejects("gradients-erased")
def no_step(model, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    return loss.item()


@TRAIN_STEP.rejects("gradients-erased")
def no_backward(model, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    optimizer.step()
    return loss.item()


@TRAIN_STEP.rejects("gradients-erased")
def without_gradients_as_for_a_test(model, optimizer, images, labels):
    with torch.no_grad():
        loss = F.cross_entropy(model(images), labels)
    optimizer.step()
    return loss.item()


@TRAIN_STEP.rejects("step-too-early")
def step_before_the_gradients_are_there(model, optimizer, images, labels):
    loss = F.cross_entropy(model(images), labels)
    optimizer.step()
    optimizer.zero_grad()
    loss.backward()
    return loss.item()


@TRAIN_STEP.rejects("softmax-first")
def softmax_before_the_loss(model, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(F.softmax(model(images), dim=1), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


@TRAIN_STEP.rejects("sum-not-mean")
def losses_added_up(model, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels, reduction="sum")
    loss.backward()
    optimizer.step()
    return loss.item() / len(labels)


@TRAIN_STEP.rejects("gradient-uphill")
def minus_the_loss(model, optimizer, images, labels):
    optimizer.zero_grad()
    loss = -F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return -loss.item()


@TRAIN_STEP.rejects("step-too-early")
def step_at_the_very_start(model, optimizer, images, labels):
    optimizer.step()
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    return loss.item()


@TRAIN_STEP.rejects()
def two_steps(model, optimizer, images, labels):
    as_in_the_lesson(model, optimizer, images, labels)
    return as_in_the_lesson(model, optimizer, images, labels)


@TRAIN_STEP.rejects()
def nothing_returned(model, optimizer, images, labels):
    as_in_the_lesson(model, optimizer, images, labels)


@TRAIN_STEP.rejects()
def loss_after_the_step_returned(model, optimizer, images, labels):
    as_in_the_lesson(model, optimizer, images, labels)
    return F.cross_entropy(model(images), labels).item()


@TRAIN_STEP.rejects()
def first_image_alone(model, optimizer, images, labels):
    return as_in_the_lesson(model, optimizer, images[:1], labels[:1])


@TRAIN_STEP.rejects()
def squared_error_of_probabilities(model, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.mse_loss(model(images).softmax(1), F.one_hot(labels, 3).float())
    loss.backward()
    optimizer.step()
    return loss.item()


@TRAIN_STEP.rejects()
def only_the_last_layer(model, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(model[-1](model[:-1](images).detach()), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


TRAIN_STEP.wrong["an optimizer of its own"] = Wrong(
    lambda model, optimizer, images, labels: as_in_the_lesson(model, torch.optim.SGD(model.parameters(), lr=1.0), images, labels)
)
TRAIN_STEP.wrong["the loss instead of the function"] = Wrong(0.25)

# ================================================================================================ make_lenet


def lenet_layers(activation=nn.ReLU, pool=nn.MaxPool2d, padding=2, flat=400):
    return [
        nn.Conv2d(1, 6, 5, padding=padding), activation(), pool(2), nn.Conv2d(6, 16, 5), activation(), pool(2), nn.Flatten(),
        nn.Linear(flat, 120), activation(), nn.Linear(120, 84), activation(), nn.Linear(84, 10),
    ]  # fmt: skip


def without(*places):
    return nn.Sequential(*(layer for place, layer in enumerate(lenet_layers()) if place not in places))


class Written(nn.Module):
    """LeNet-5 as a class, with functions between its layers."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5)
        self.dense = nn.ModuleList([nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)])

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(F.pad(x, (2, 2, 2, 2)))), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2).reshape(-1, 400)
        return self.dense[2](torch.relu(self.dense[1](torch.relu(self.dense[0](x)))))


ONE = nn.Sequential(*lenet_layers())

MAKE_LENET.right |= {
    "one Sequential": lambda: nn.Sequential(*lenet_layers()),
    "the library's": lambda: LeNet5(),
    "a class": lambda: Written(),
    "pooled before the ReLU": lambda: nn.Sequential(*(lenet_layers()[i] for i in (0, 2, 1, 3, 5, 4, *range(6, 12)))),
    "in two halves": lambda: nn.Sequential(nn.Sequential(*lenet_layers()[:6]), nn.Sequential(*lenet_layers()[6:])),
    "doubles": lambda: nn.Sequential(*lenet_layers()).double(),
    "in evaluation mode": lambda: nn.Sequential(*lenet_layers()).eval(),
    "padding as a word": lambda: nn.Sequential(*lenet_layers(padding="same")),
    "with dropout": lambda: nn.Sequential(*lenet_layers()[:11], nn.Dropout(0.2), lenet_layers()[11]),
}
MAKE_LENET.wrong |= {
    "no padding": named("no-padding", lambda: nn.Sequential(*lenet_layers(padding=0, flat=256))),
    "no padding, 400 kept": named("no-padding", lambda: nn.Sequential(*lenet_layers(padding=0))),
    "softmax at the end": named("softmax-at-the-end", lambda: nn.Sequential(*lenet_layers(), nn.Softmax(dim=1))),
    "log-softmax at the end": named("log-softmax-at-the-end", lambda: nn.Sequential(*lenet_layers(), nn.LogSoftmax(dim=1))),
    "ReLU on the scores": named("relu-on-the-scores", lambda: nn.Sequential(*lenet_layers(), nn.ReLU())),
    "averages": named("average-pooling", lambda: nn.Sequential(*lenet_layers(pool=nn.AvgPool2d))),
    "tanh": named("tanh", lambda: nn.Sequential(*lenet_layers(activation=nn.Tanh))),
    "as in 1998": Wrong(lambda: LeNet5(nn.Tanh, nn.AvgPool2d)),
    "sigmoid": Wrong(lambda: nn.Sequential(*lenet_layers(activation=nn.Sigmoid))),
    "no ReLU at all": named("no-activation", lambda: without(1, 4, 8, 10)),
    "no ReLU between the dense layers": named("dense-layers-touch", lambda: without(8, 10)),
    "no ReLU after C5": named("dense-layers-touch", lambda: without(8)),
    "no ReLU after F6": named("dense-layers-touch", lambda: without(10)),
    "no ReLU after C1": named("convolutions-without-activation", lambda: without(1)),
    "no ReLU after C3": named("convolutions-without-activation", lambda: without(4)),
    "no flattening": named("not-flattened", lambda: without(6)),
    "no flattening, no padding": named("not-flattened", lambda: nn.Sequential(*lenet_layers(padding=0)[:6], *lenet_layers()[7:])),
    "no second pooling": Wrong(lambda: nn.Sequential(*lenet_layers(flat=1600)[:5], *lenet_layers(flat=1600)[6:])),
    "kernels of 3": Wrong(
        lambda: nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), *lenet_layers()[1:3], nn.Conv2d(6, 16, 5), *lenet_layers()[4:])
    ),
    "no biases": Wrong(lambda: nn.Sequential(nn.Conv2d(1, 6, 5, padding=2, bias=False), *lenet_layers()[1:])),
    "a dense layer too few": Wrong(lambda: nn.Sequential(*lenet_layers()[:9], nn.Linear(120, 10))),
    "three channels": Wrong(lambda: nn.Sequential(nn.Conv2d(3, 6, 5, padding=2), *lenet_layers()[1:])),
    "made once, outside": named("made-once", lambda: ONE),
    "a list of layers": Wrong(lenet_layers),
    "the class, not a network": Wrong(lambda: LeNet5),
    "nothing returned": Wrong(lambda: None),
    "the network itself": Wrong(ONE),
    "the same seed in every call": Wrong(lambda: torch.manual_seed(0) and nn.Sequential(*lenet_layers()), ("made-once",)),
}

# ================================================================================================ trained_lenet

WEIGHTS = Path(__file__).with_name("lesson_06_lenet.npz")  # of LeNet5() after torch.manual_seed(0) and section 5, in half precision


def trained(change=None):
    """The trained LeNet-5, after `change(its list of weight arrays)`."""
    model = nn.Sequential(*lenet_layers())
    with np.load(WEIGHTS) as stored:
        weights = [torch.tensor(stored[name].astype(np.float32)) for name in sorted(stored.files)]
    if change:
        change(weights)
    with torch.no_grad():
        for parameter, weight in zip(model.parameters(), weights, strict=True):
            parameter.copy_(weight)
    return model


def maps_in_another_order(weights):
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    weights[0], weights[1], weights[2] = weights[0][order], weights[1][order], weights[2][:, order]


def doubled_scores(weights):
    weights[8], weights[9] = 2 * weights[8], 2 * weights[9] + 1  # the same order of the scores


def forgotten_filter(weights):
    weights[0][0], weights[1][0] = 0, 0


def all_noise(weights):
    weights[8] = torch.randn(weights[8].shape, generator=torch.Generator().manual_seed(0))


def rows_turned(weights):
    weights[8], weights[9] = weights[8].roll(1, 0), weights[9].roll(1, 0)


class Wrapped(nn.Module):
    """A network inside another module."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)


TRAINED_LENET.right |= {
    "as it is": trained(),
    "doubles": trained().double(),
    "in evaluation mode": trained().eval(),
    "its maps in another order": trained(maps_in_another_order),
    "its scores doubled": trained(doubled_scores),
    "inside another module": Wrapped(trained()),
    "frozen": trained().requires_grad_(False),
}
TRAINED_LENET.wrong |= {
    "new": named("not-trained", nn.Sequential(*lenet_layers())),
    "its last layer new": named("not-trained", trained(all_noise)),
    "its answers one off": named("not-trained", trained(rows_turned)),
    "a filter forgotten": Wrong(trained(forgotten_filter), ("trained-on-too-little", None)),
    "the dense network": named("another-network", MLP()),
    "the class": Wrong(LeNet5),
    "the accuracy": Wrong(0.991),
    "the history": Wrong([0.98, 0.989, 0.991]),
}

# ================================================================================================ most_confused: right ones


@MOST_CONFUSED.accepts
def two_loops(matrix):
    best = (0, 1, -1)
    for label in range(len(matrix)):
        for predicted in range(len(matrix)):
            if label != predicted and matrix[label, predicted] > best[2]:
                best = label, predicted, matrix[label, predicted]
    return best


@MOST_CONFUSED.accepts
def python_max_with_a_key(matrix):
    pairs = itertools.permutations(range(len(matrix)), 2)
    label, predicted = max(pairs, key=lambda pair: matrix[pair])
    return label, predicted, matrix[label, predicted]


@MOST_CONFUSED.accepts
def minus_the_diagonal(matrix):
    mistakes = matrix - np.diag(np.diag(matrix))
    label, predicted = np.argwhere(mistakes == mistakes.max())[0]
    return [label, predicted, mistakes.max()]


@MOST_CONFUSED.accepts
def identity_as_a_mask(matrix):
    mistakes = np.where(np.eye(len(matrix), dtype=bool), -1, matrix)
    place = mistakes.argmax()
    return place // len(matrix), place % len(matrix), mistakes.flat[place]


@MOST_CONFUSED.accepts
def divmod_of_the_place(matrix):
    mistakes = matrix * (1 - np.eye(len(matrix)))
    return *divmod(int(mistakes.argmax()), len(matrix)), mistakes.max()


@MOST_CONFUSED.accepts
def masked_array(matrix):
    mistakes = np.ma.array(matrix, mask=np.eye(len(matrix)))
    label, predicted = np.unravel_index(mistakes.argmax(), mistakes.shape)
    return label, predicted, int(mistakes.max())


@MOST_CONFUSED.accepts
def torch_tensors(matrix):
    mistakes = torch.tensor(matrix).fill_diagonal_(0)
    place = mistakes.argmax()
    return place // len(matrix), place % len(matrix), mistakes.max()


@MOST_CONFUSED.accepts
def sorted_triples_of_floats(matrix):
    found = sorted((matrix[i, j], i, j) for i in range(len(matrix)) for j in range(len(matrix)) if i != j)
    count, label, predicted = found[-1]
    return float(label), float(predicted), float(count)


# ================================================================================================ most_confused: wrong ones


@MOST_CONFUSED.rejects("diagonal-counted")
def argmax_of_everything(matrix):
    return *np.unravel_index(matrix.argmax(), matrix.shape), matrix.max()


@MOST_CONFUSED.rejects("rows-and-columns-swapped")
def column_then_row(matrix):
    label, predicted, count = two_loops(matrix)
    return predicted, label, count


@MOST_CONFUSED.rejects("changes-argument")
def diagonal_of_the_callers_matrix_cleared(matrix):
    np.fill_diagonal(matrix, 0)
    return *np.unravel_index(matrix.argmax(), matrix.shape), matrix.max()


@MOST_CONFUSED.rejects("both-directions")
def added_to_its_transpose(matrix):
    both = matrix + matrix.T
    return two_loops(both)


@MOST_CONFUSED.rejects("no-return")
def printed_only(matrix):
    print(two_loops(matrix))


@MOST_CONFUSED.rejects()
def count_first(matrix):
    label, predicted, count = two_loops(matrix)
    return count, label, predicted


@MOST_CONFUSED.rejects()
def pair_without_the_count(matrix):
    return two_loops(matrix)[:2]


@MOST_CONFUSED.rejects()
def pair_inside_a_tuple(matrix):
    label, predicted, count = two_loops(matrix)
    return (label, predicted), count


@MOST_CONFUSED.rejects()
def counted_from_one(matrix):
    label, predicted, count = two_loops(matrix)
    return label + 1, predicted + 1, count


@MOST_CONFUSED.rejects()
def above_the_diagonal_only(matrix):
    return two_loops(np.triu(matrix))


@MOST_CONFUSED.rejects()
def below_the_diagonal_only(matrix):
    return two_loops(np.tril(matrix))


@MOST_CONFUSED.rejects()
def place_in_the_flat_matrix(matrix):
    label, predicted, count = two_loops(matrix)
    return label * len(matrix) + predicted, predicted, count


@MOST_CONFUSED.rejects()
def smallest_mistake(matrix):
    label, predicted = min(itertools.permutations(range(len(matrix)), 2), key=lambda pair: matrix[pair])
    return label, predicted, matrix[label, predicted]


@MOST_CONFUSED.rejects()
def all_mistakes_counted(matrix):
    label, predicted, _ = two_loops(matrix)
    return label, predicted, matrix.sum() - np.trace(matrix)


@MOST_CONFUSED.rejects()
def share_instead_of_count(matrix):
    label, predicted, count = two_loops(matrix)
    return label, predicted, count / matrix.sum()


@MOST_CONFUSED.rejects()
def row_with_most_mistakes_and_column_with_most(matrix):
    mistakes = matrix - np.diag(np.diag(matrix))
    return mistakes.sum(1).argmax(), mistakes.sum(0).argmax(), mistakes.max()


@MOST_CONFUSED.rejects()
def first_row_only(matrix):
    return 0, 1 + matrix[0, 1:].argmax(), matrix[0, 1:].max()


# ================================================================================================ shifted: right ones


@SHIFTED.accepts
def roll_and_clear(images, down, right):
    moved = np.roll(images, (down, right), axis=(1, 2))
    rows, columns = np.arange(images.shape[1]) - down, np.arange(images.shape[2]) - right
    return moved * ((rows >= 0) & (rows < images.shape[1]))[:, None] * ((columns >= 0) & (columns < images.shape[2]))


@SHIFTED.accepts
def scipys_shift(images, down, right):
    return scipy.ndimage.shift(images, (0, down, right), order=0, mode="constant", cval=0)


@SHIFTED.accepts
def torchs_pad_with_negative_numbers(images, down, right):
    return F.pad(torch.tensor(images), (right, -right, down, -down))


@SHIFTED.accepts
def pixel_by_pixel(images, down, right):
    moved = np.zeros_like(images)
    n, height, width = images.shape
    for i in range(height):
        for j in range(width):
            if 0 <= i + down < height and 0 <= j + right < width:
                moved[:, i + down, j + right] = images[:, i, j]
    return moved


@SHIFTED.accepts
def slices_from_max_and_min(images, down, right):
    n, height, width = images.shape
    moved = np.zeros_like(images)
    moved[:, max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)] = images[
        :, max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)
    ]
    return moved


@SHIFTED.accepts
def two_matrix_products(images, down, right):
    moved = np.eye(images.shape[1], k=-down) @ images @ np.eye(images.shape[2], k=right)
    return moved.astype(images.dtype)


@SHIFTED.accepts
def einsum_in_float32(images, down, right):
    rows, columns = np.eye(images.shape[1], k=-down, dtype=np.float32), np.eye(images.shape[2], k=-right, dtype=np.float32)
    return np.einsum("ia,nab,jb->nij", rows, images.astype(np.float32), columns).astype(images.dtype)


@SHIFTED.accepts
def one_pixel_at_a_time_by_recursion(images, down, right):
    if down == right == 0:
        return images.copy()
    step = (np.sign(down), 0) if down else (0, np.sign(right))
    return one_pixel_at_a_time_by_recursion(pixel_by_pixel(images, *step), down - step[0], right - step[1])


@SHIFTED.rejects("type-changed")
def lists_in_lists(images, down, right):
    return [pixel_by_pixel(image[None], down, right)[0].tolist() for image in images]


@SHIFTED.accepts
def in_fortran_order(images, down, right):
    return np.asfortranarray(pixel_by_pixel(images, down, right))


# ================================================================================================ shifted: wrong ones


@SHIFTED.rejects("type-changed")
def into_zeros_of_floats(images, down, right):
    moved = np.zeros(images.shape)
    moved[:] = pixel_by_pixel(images, down, right)
    return moved


@SHIFTED.rejects("wraps-around")
def rolled(images, down, right):
    return np.roll(np.roll(images, down, axis=1), right, axis=2)


@SHIFTED.rejects()
def rolled_flat(images, down, right):
    return np.roll(images, down * images.shape[2] + right)


@SHIFTED.rejects()
def rolled_with_the_first_axes(images, down, right):
    return np.roll(images, (down, right), axis=(0, 1))


@SHIFTED.rejects("axes-swapped")
def right_and_down(images, down, right):
    return scipys_shift(images, right, down)


@SHIFTED.rejects("the-other-way")
def up_and_left(images, down, right):
    return torchs_pad_with_negative_numbers(images, -down, -right)


@SHIFTED.rejects("edges-repeated")
def scipys_nearest(images, down, right):
    return scipy.ndimage.shift(images, (0, down, right), order=0, mode="nearest")


@SHIFTED.rejects("minus-zero")
def slices_that_end_at_minus_n(images, down, right):
    moved = np.zeros_like(images)
    moved[:, down:, right:] = images[:, :-down, :-right]
    return moved


@SHIFTED.rejects("negative-shifts-ignored", None)
def only_positive_thought_of(images, down, right):
    return pixel_by_pixel(images, max(0, down), max(0, right))


@SHIFTED.rejects()
def only_down(images, down, right):
    return pixel_by_pixel(images, down, 0)


@SHIFTED.rejects()
def only_right(images, down, right):
    return pixel_by_pixel(images, 0, right)


@SHIFTED.rejects()
def one_pixel_too_far(images, down, right):
    return pixel_by_pixel(images, down + 1, right)


@SHIFTED.rejects()
def ones_move_in(images, down, right):
    return scipy.ndimage.shift(images, (0, down, right), order=0, mode="constant", cval=1)


@SHIFTED.rejects("changes-argument")
def in_the_callers_array(images, down, right):
    images[:] = pixel_by_pixel(images, down, right)
    return images


@SHIFTED.rejects("no-return")
def forgotten_return(images, down, right):
    pixel_by_pixel(images, down, right)


@SHIFTED.rejects()
def first_image_only_moved(images, down, right):
    moved = images.copy()
    moved[:1] = pixel_by_pixel(images[:1], down, right)
    return moved


@SHIFTED.rejects()
def old_pixels_left_behind(images, down, right):
    return np.maximum(pixel_by_pixel(images, down, right), images)


@SHIFTED.rejects()
def as_floats_between_0_and_1(images, down, right):
    return pixel_by_pixel(images, down, right) / 255


# ================================================================================================ restored: right ones


@RESTORED.accepts
def argsort_of_the_order(shuffled, order):
    return shuffled.reshape(len(shuffled), -1)[:, np.argsort(order)].reshape(shuffled.shape)


@RESTORED.accepts
def place_by_place(shuffled, order):
    rows = shuffled.reshape(len(shuffled), -1)
    back = np.zeros(rows.shape)
    for k, place in enumerate(order):
        back[:, place] = rows[:, k]
    return back.reshape(shuffled.shape)


@RESTORED.accepts
def a_permutation_matrix(shuffled, order):
    return (shuffled.reshape(len(shuffled), -1) @ np.eye(len(order))[order]).reshape(shuffled.shape)


@RESTORED.accepts
def a_dictionary(shuffled, order):
    came_to = {int(place): k for k, place in enumerate(order)}
    rows = shuffled.reshape(len(shuffled), -1)
    return np.stack([rows[:, came_to[place]] for place in range(len(order))], axis=1).reshape(shuffled.shape)


@RESTORED.accepts
def torchs_scatter(shuffled, order):
    rows = torch.tensor(shuffled).flatten(1)
    places = torch.tensor(order).expand(rows.shape)
    return torch.zeros_like(rows).scatter(1, places, rows).reshape(shuffled.shape)


@RESTORED.accepts
def sorted_pairs_in_plain_python(shuffled, order):
    width = shuffled.shape[2]
    found = []
    for image in shuffled:
        pixels = [float(pixel) for _, pixel in sorted(zip(order.tolist(), image.ravel().tolist(), strict=True), key=lambda pair: pair[0])]
        found.append([pixels[start : start + width] for start in range(0, len(pixels), width)])
    return found


@RESTORED.accepts
def shuffling_on_until_it_closes(shuffled, order):
    rows, known = shuffled.reshape(len(shuffled), -1), np.arange(len(order))
    while not np.array_equal(known[order], np.arange(len(order))):  # a permutation comes back to itself
        rows, known = rows[:, order], known[order]
    return rows.reshape(shuffled.shape)


@RESTORED.accepts
def np_put_along_axis_in_float32(shuffled, order):
    rows = shuffled.reshape(len(shuffled), -1).astype(np.float32)
    back = np.empty_like(rows)
    np.put_along_axis(back, np.broadcast_to(order, rows.shape), rows, axis=1)
    return back.reshape(shuffled.shape)


# ================================================================================================ restored: wrong ones


@RESTORED.rejects("shuffled-again")
def order_applied_once_more(shuffled, order):
    return np.take(shuffled.reshape(len(shuffled), -1), order, axis=1).reshape(shuffled.shape)


@RESTORED.rejects("read-backwards")
def order_from_its_end(shuffled, order):
    return shuffled.reshape(len(shuffled), -1)[:, order[::-1]].reshape(shuffled.shape)


@RESTORED.rejects("still-flat")
def shape_forgotten(shuffled, order):
    return shuffled.reshape(len(shuffled), -1)[:, np.argsort(order)]


@RESTORED.rejects("not-restored")
def only_reshaped(shuffled, order):
    return shuffled.reshape(len(shuffled), -1).reshape(shuffled.shape)


@RESTORED.rejects("pixels-sorted")
def sorted_by_brightness(shuffled, order):
    return np.sort(shuffled.reshape(len(shuffled), -1)).reshape(shuffled.shape)


@RESTORED.rejects()
def sorted_by_brightness_over_the_batch(shuffled, order):
    return np.sort(shuffled, axis=0)


@RESTORED.rejects("no-return")
def result_kept(shuffled, order):
    argsort_of_the_order(shuffled, order)


@RESTORED.rejects()
def rows_put_in_order_only(shuffled, order):
    return shuffled[:, np.argsort(order[: shuffled.shape[1]])]


@RESTORED.rejects()
def another_random_order(shuffled, order):
    return shuffled.reshape(len(shuffled), -1)[:, np.random.default_rng(0).permutation(len(order))].reshape(shuffled.shape)


@RESTORED.rejects()
def argsort_twice(shuffled, order):
    return shuffled.reshape(len(shuffled), -1)[:, np.argsort(np.argsort(order))].reshape(shuffled.shape)[:, ::-1]


@RESTORED.rejects()
def height_and_width_exchanged(shuffled, order):
    return argsort_of_the_order(shuffled, order).reshape(len(shuffled), shuffled.shape[2], shuffled.shape[1])


@RESTORED.rejects()
def mirrored_too(shuffled, order):
    return argsort_of_the_order(shuffled, order)[:, :, ::-1]


@RESTORED.rejects()
def first_image_without_its_axis(shuffled, order):
    return argsort_of_the_order(shuffled, order)[0]


@RESTORED.rejects()
def order_subtracted(shuffled, order):
    return shuffled.reshape(len(shuffled), -1)[:, np.arange(len(order)) - order].reshape(shuffled.shape)


@RESTORED.rejects()
def argsort_backwards(shuffled, order):
    return shuffled.reshape(len(shuffled), -1)[:, np.argsort(order)[::-1]].reshape(shuffled.shape)


@RESTORED.rejects()
def places_instead_of_pixels(shuffled, order):
    return np.broadcast_to(np.argsort(order).reshape(shuffled.shape[1:]), shuffled.shape)


# ================================================================================================ by hand

PROOFS = (
    worked_out(
        "L6.1",
        wrong={
            "base 10": named("log-base-10", [1, 0.30, 2]),
            "base 2": named("log-base-2", [3.32, 1, 6.64]),
            "the sign": named("sign-forgotten", [-2.30, -0.69, -4.61]),
            "probabilities": [0.1, 0.5, 0.01],
            "one decimal": [2.3, 0.7, 4.6],
            "the first wrong": [0.1, 0.69, 4.61],
            "only one": 2.30,
        },
    ),
    CROSS_ENTROPY,
    TRAIN_STEP,
    worked_out(
        "L6.2",
        wrong={
            "weights only": named("biases-forgotten", [150, 2400, 48000, 10080, 840]),
            "flat C3": named("one-input-channel", [156, 416, 48120, 10164, 850]),
            "biases by the weight": [300, 4800, 96000, 20160, 1680],
            "S4 of 6x6": [156, 2416, 69240, 10164, 850],
            "the total": 61706,
            "a digit slipped": [156, 2416, 48210, 10164, 850],
        },
    ),
    MAKE_LENET,
    worked_out(
        "L6.3",
        wrong={
            "today's": named("every-map-seen", [2416, 60900]),
            "no biases": named("biases-forgotten", [1500, 59984]),
            "no pooling": named("pooling-forgotten", [1516, 59956]),
            "with the output": named("output-counted", [1516, 60850]),
            "one filter less": [1365, 59849],
            "C3 alone": 1516,
        },
    ),
    TRAINED_LENET,
    MOST_CONFUSED,
    SHIFTED,
    worked_out(
        "L6.4",
        wrong={
            "all true": named("equivariant-is-not-invariant", [1, 1, 1, 1]),
            "all false": [0, 0, 0, 0],
            "none for the dense layer": named("dense-layers-are-blind", [1, 0, 0, 0]),
            "two slips": [0, 0, 1, 1],
            "the first alone": 1,
        },
    ),
    RESTORED,
)
