"""Lesson 6, training a network: what the student's functions and networks are checked with.

torch is imported where it is needed: the checks of the lessons without it load quickly.
"""

import math
import re
import weakref
from dataclasses import replace

import numpy as np

from .exercise import Case, CodeExercise, HandExercise, Misconception, ModelExercise, Property

# ------------------------------------------------------------------------------------------------ L6.1

_PROBABILITIES = (0.1, 0.5, 0.01)


def _losses(logarithm):
    return tuple(float(logarithm(p)) for p in _PROBABILITIES)


LOSS_BY_HAND = HandExercise(
    name="L6.1",
    title="three losses",
    points=2,
    expected=_losses(lambda p: -math.log(p)),
    labels=("all ten equally probable", "the right digit at 0.5", "the right digit at 0.01"),
    misconceptions=(
        Misconception(
            "log-base-10",
            "These are logarithms to the base 10. Here log means the natural one, to the base e: np.log.",
            _losses(lambda p: -math.log10(p)),
        ),
        Misconception(
            "log-base-2",
            "These are logarithms to the base 2. Here log means the natural one, to the base e: np.log.",
            _losses(lambda p: -math.log2(p)),
        ),
        Misconception("sign-forgotten", "The logarithm of a probability is negative. The loss is minus that.", _losses(math.log)),
        Misconception(
            "no-logarithm",
            "This is what went to the other digits. The loss is minus the logarithm of what the right one got.",
            _losses(lambda p: 1 - p),
        ),
    ),
    hints=(
        "The loss looks at one number only: the probability that the right digit got.",
        "Ten digits, all equally probable: what does each get, the right one included?",
        "It is -np.log(p), for p = 0.1, p = 0.5 and p = 0.01. Two decimals are enough.",
    ),
)

# ------------------------------------------------------------------------------------------------ cross_entropy


def cross_entropy(scores, labels):
    """The right answer: scores (N, K), labels (N,) -> the mean loss."""
    scores, labels = np.asarray(scores, dtype=float), np.asarray(labels, dtype=int)
    shifted = scores - scores.max(axis=1, keepdims=True)
    return (np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]).mean()


def _log_probabilities(scores, axis=1):
    scores = np.asarray(scores, dtype=float)
    shifted = scores - scores.max(axis=axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


def _of_the_right(values, labels):
    return values[np.arange(len(labels)), np.asarray(labels, dtype=int)]


def _softmax_as_it_stands(scores, labels):
    powers = np.exp(np.asarray(scores, dtype=float))
    return -np.log(_of_the_right(powers / powers.sum(axis=1, keepdims=True), labels)).mean()


def _fraction_and_then_logarithm(scores, labels, added=0.0):
    return -np.log(_of_the_right(np.exp(_log_probabilities(scores)), labels) + added).mean()


def _softmax_twice(scores, labels):
    return cross_entropy(np.exp(_log_probabilities(scores)), labels)


def _softmax_over_everything(scores, labels):
    return -_of_the_right(_log_probabilities(scores, axis=None), labels).mean()


def _random_scores(draw):
    images, classes = draw.integer(1, 4), draw.integer(2, 5)
    labels = np.array([draw.integer(0, classes - 1) for _ in range(images)])
    return Case((draw.integers(images, classes), labels))


CROSS_ENTROPY = CodeExercise(
    name="cross_entropy",
    title="the loss of a batch",
    points=2,
    reference=cross_entropy,
    signature="cross_entropy(scores, labels)",
    cases=(
        Case((np.array([[2.0, -1.0, 0.5]]), np.array([0]))),
        Case((np.array([[2.0, -1.0, 0.5], [0.0, 3.0, 1.0]]), np.array([2, 1]))),
        Case((np.array([[1.0, 0.0, -2.0, 4.0], [0.5, 0.5, 0.0, 1.0], [-3.0, 2.0, 2.5, 0.0]]), np.array([1, 3, 0]))),
        Case((np.array([[3, 1], [0, 2], [5, 5]]), np.array([0, 0, 1]))),
        Case((np.array([[1.5, -0.5, 0.0, 2.0, 1.0], [0.0, 1.0, 2.0, -1.0, 0.5]]), np.array([4, 2])), layout="read-only"),
        Case((np.array([[1000.0, 998.0, 1001.0], [2.0, 0.0, 1.0]]), np.array([0, 2])), part="large"),
        Case((np.array([[-1000.0, -1002.0], [0.0, 900.0]]), np.array([1, 0])), part="large"),
    ),
    random_case=_random_scores,
    parts={"core": 0.5, "large": 0.5},
    misconceptions=(
        Misconception(
            "overflow",
            "The numbers are right until scores get large: np.exp(1000) is more than a float can hold. Subtract each row's largest score "
            "first; softmax does not notice.",
            _softmax_as_it_stands,
        ),
        Misconception(
            "log-of-zero",
            "The largest score was subtracted, as it should be. But a probability can be too small for a float: it becomes 0, and the "
            "logarithm of 0 is minus infinity. Write the logarithm of the fraction as a difference, before the division makes a 0 of it.",
            _fraction_and_then_logarithm,
        ),
        Misconception(
            "small-number-added",
            "A small number inside the logarithm hides the 0, but then no loss can be larger than 27.6, however wrong the answer is. "
            "Write the logarithm of the fraction as a difference instead, and nothing has to be added.",
            lambda scores, labels: _fraction_and_then_logarithm(scores, labels, added=1e-12),
        ),
        Misconception(
            "sum-not-mean",
            "The losses of the images were added up. Divide by how many there are, or a larger batch looks worse.",
            lambda scores, labels: cross_entropy(scores, labels) * len(labels),
        ),
        Misconception(
            "loss-by-image",
            "There is a loss for each image here. Their mean is asked for.",
            lambda scores, labels: -_of_the_right(_log_probabilities(scores), labels),
        ),
        Misconception(
            "sign-forgotten",
            "The sign is missing. The logarithm of a probability is negative; the loss is minus that.",
            lambda scores, labels: -cross_entropy(scores, labels),
        ),
        Misconception(
            "no-logarithm",
            "This is the mean probability of the right class. The loss is minus its logarithm, image by image.",
            lambda scores, labels: np.exp(_of_the_right(_log_probabilities(scores), labels)).mean(),
        ),
        Misconception(
            "log-of-the-mean",
            "The logarithm was taken of the mean probability. Take it image by image, and the mean at the end.",
            lambda scores, labels: -np.log(np.exp(_of_the_right(_log_probabilities(scores), labels)).mean()),
        ),
        Misconception(
            "no-softmax",
            "The scores were used as they are. They become probabilities first: the exponential of each, divided by the sum of its row.",
            lambda scores, labels: -_of_the_right(np.asarray(scores, dtype=float), labels).mean(),
        ),
        Misconception(
            "softmax-twice",
            "Softmax was taken twice. Probabilities go into the logarithm, not into another softmax.",
            _softmax_twice,
        ),
        Misconception(
            "softmax-over-images",
            "The exponentials were divided by the sum of their column, over the images. Each image's own scores add up to 1: axis=1.",
            lambda scores, labels: -_of_the_right(_log_probabilities(scores, axis=0), labels).mean(),
        ),
        Misconception(
            "softmax-over-everything",
            "The exponentials were divided by the sum of all of them. Each image's own scores add up to 1: axis=1, keepdims=True.",
            _softmax_over_everything,
        ),
        Misconception(
            "all-classes",
            "The loss of every class went into the mean. Only the right class of each image counts.",
            lambda scores, labels: -_log_probabilities(scores).mean(),
        ),
        Misconception(
            "largest-not-right",
            "This takes the largest probability of each row. The loss asks what the *right* class got, which may be another.",
            lambda scores, labels: -_log_probabilities(scores).max(axis=1).mean(),
        ),
        Misconception(
            "log-base-10",
            "This is the logarithm to the base 10. np.log is the natural one.",
            lambda scores, labels: cross_entropy(scores, labels) / math.log(10),
        ),
    ),
    hints=(
        "Three steps for each row: scores to probabilities, the probability of the right class, minus its logarithm. Then the mean.",
        "First shifted = scores - scores.max(axis=1, keepdims=True): now no exponential is larger than 1, and each row has one that is 1.",
        "A probability is np.exp(shifted) divided by the sum of its row. Do not divide and then take the logarithm: the logarithm of a "
        "fraction is that of its upper part, here shifted itself, less that of its lower part.",
        "log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)). The right class of each row: "
        "log_p[np.arange(len(labels)), labels].",
    ),
)

# ------------------------------------------------------------------------------------------------ train_step

_STEPS = 3
_RATE = 0.1


def _problem(seed=6):
    """A tiny network, its optimizer and a few batches, which follow from the seed."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(6, 4), torch.nn.ReLU(), torch.nn.Linear(4, 3))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    optimizer = torch.optim.SGD(model.parameters(), lr=_RATE, momentum=0.5)
    batches = [(torch.randn(5, 1, 2, 3, generator=generator), torch.randint(0, 3, (5,), generator=generator)) for _ in range(_STEPS)]
    return model, optimizer, batches


def _right_step(model, optimizer, images, labels, scores=lambda scores: scores, zero=True, reduction="mean"):
    import torch.nn.functional as F

    if zero:
        optimizer.zero_grad()
    loss = F.cross_entropy(scores(model(images)), labels, reduction=reduction)
    loss.backward()
    optimizer.step()
    return loss.item()


def _erased(model, optimizer, images, labels):
    import torch.nn.functional as F

    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.zero_grad(set_to_none=False)
    optimizer.step()
    return loss.item()


def _step_first(model, optimizer, images, labels):
    import torch.nn.functional as F

    optimizer.step()
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    return loss.item()


def _steps_too_early(function):
    """Is the step taken before backward()? Between forward and backward, torch itself objects from the second call on."""
    try:
        return _steps_like(_step_first)(function)
    except RuntimeError as error:
        return "inplace operation" in str(error)


def _uphill(model, optimizer, images, labels):
    import torch.nn.functional as F

    optimizer.zero_grad()
    loss = -F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def _after_steps(function, *seed):
    """What a training step leaves: the weights after each call, one row each, and what the calls returned."""
    model, optimizer, batches = _problem(*seed)
    weights, returned = [], []
    for images, labels in batches:
        returned.append(function(model, optimizer, images, labels))
        weights.append(np.concatenate([parameter.detach().double().numpy().ravel() for parameter in model.parameters()]))
    return np.array(weights), returned


def _close(ones, others):
    return np.shape(ones) == np.shape(others) and bool(np.allclose(ones, others, rtol=1e-4, atol=1e-6))


def _steps_like(wrong):
    """A predicate: does a training step change the weights exactly as this wrong one does?"""
    return lambda function: _close(_after_steps(function)[0], _after_steps(wrong)[0])


def _start(*seed):
    return np.concatenate([parameter.detach().double().numpy().ravel() for parameter in _problem(*seed)[0].parameters()])


def _first_step(function, seed):
    weights, _ = _after_steps(function, seed)
    if _close(weights[0], _start(seed)):
        return "one call changes no weight."
    if not _close(weights[0], _after_steps(_right_step, seed)[0][0]):
        return "the weights change, but not by what the gradient of the mean cross-entropy says."
    return None


def _more_steps(function, seed):
    if not _close(_after_steps(function, seed)[0], _after_steps(_right_step, seed)[0]):
        return "not every call changes the weights as it should. What does backward() do with the gradients of the call before?"
    return None


def _returned_losses(function, seed):
    weights, returned = _after_steps(function, seed)
    if any(value is None for value in returned):
        return "it returns None. The loss should come back, as a number."
    if any(hasattr(value, "detach") for value in returned):
        return "it returns a tensor. A plain number is asked for."
    if not _close(weights, _after_steps(_right_step, seed)[0]):
        return "that can be told when the weights are right: a loss is that of the weights before the step."
    values = [float(value) for value in returned]
    return None if _close(values, _after_steps(_right_step, seed)[1]) else "what it returns is not the batch's mean loss before the step."


TRAIN_STEP = ModelExercise(
    name="train_step",
    title="one step of learning",
    points=4,
    expects="the function train_step(model, optimizer, images, labels)",
    accepts=callable,
    properties=(
        Property("The first step", 0.5, _first_step, seeded=True),
        Property("Three steps", 0.25, _more_steps, seeded=True),
        Property("The returned loss", 0.25, _returned_losses, seeded=True),
    ),
    misconceptions=(
        Misconception(
            "gradients-pile-up",
            "Each call adds its gradients to those of the calls before: backward() adds, it does not replace. "
            "Set them to zero first, with optimizer.zero_grad().",
            _steps_like(lambda *args: _right_step(*args, zero=False)),
        ),
        Misconception(
            "gradients-erased",
            "No weight changes: no gradient is there when optimizer.step() looks for one. Is backward() called, before it, with nothing "
            "between them that sets the gradients to zero? And is step() called at all?",
            lambda function: all(_close(row, _start()) for row in _after_steps(function)[0]),
        ),
        Misconception(
            "step-too-early",
            "The step is taken before backward(), so it uses the gradients of the batch before, and in the first call none at all.",
            _steps_too_early,
        ),
        Misconception(
            "softmax-first",
            "A softmax stands before cross_entropy. F.cross_entropy takes scores and does that itself; twice, it flattens the differences.",
            _steps_like(lambda *args: _right_step(*args, scores=lambda scores: scores.softmax(1))),
        ),
        Misconception(
            "sum-not-mean",
            "The losses of the batch were added up instead of averaged, so the step is as many times too long as there are images.",
            _steps_like(lambda *args: _right_step(*args, reduction="sum")),
        ),
        Misconception(
            "gradient-uphill",
            "The weights go the wrong way: the loss grows. The optimizer already subtracts the gradient; the loss needs no minus sign.",
            _steps_like(_uphill),
        ),
        Misconception(
            "loss-still-a-tensor",
            "The loss comes back as a tensor, which keeps hold of how it was computed. loss.item() takes the plain number out.",
            lambda function: any(hasattr(value, "detach") for value in _after_steps(function)[1]),
        ),
    ),
    hints=(
        "Four things happen, one line each: old gradients away, the loss forward, its gradients backward, one step of the optimizer.",
        "The loss: F.cross_entropy(model(images), labels). It takes scores, so no softmax.",
        "In this order: optimizer.zero_grad(), the loss, loss.backward(), optimizer.step().",
        "At the end return loss.item(), a plain number.",
    ),
)


# ------------------------------------------------------------------------------------------------ L6.2, L6.3: counting LeNet-5


def _dense(inputs, outputs):
    return inputs * outputs + outputs


def _conv(in_channels, out_channels, size=5):
    return in_channels * out_channels * size * size + out_channels


_DENSE = (_dense(120, 84), _dense(84, 10))

LENET_BY_HAND = HandExercise(
    name="L6.2",
    title="the parameters of LeNet-5",
    points=3,
    expected=(_conv(1, 6), _conv(6, 16), _dense(16 * 5 * 5, 120), *_DENSE),
    labels=("C1", "C3", "C5", "F6", "output"),
    misconceptions=(
        Misconception(
            "biases-forgotten",
            "These are the weights alone. Each filter, and each output of a dense layer, has a bias as well.",
            (6 * 25, 6 * 16 * 25, 400 * 120, 120 * 84, 84 * 10),
        ),
        Misconception(
            "one-input-channel",
            "In C3 each filter was counted as one 5x5 kernel. It is a box: it has a 5x5 kernel for each of the 6 maps below it.",
            (_conv(1, 6), _conv(1, 16), _dense(400, 120), *_DENSE),
        ),
        Misconception(
            "padding-forgotten",
            "C5 was counted as if C1 had no padding: 28, 24, 12, 8, 4. With a padding of 2 the maps keep their 28x28, and S4 has 5x5.",
            (_conv(1, 6), _conv(6, 16), _dense(16 * 4 * 4, 120), *_DENSE),
        ),
        Misconception(
            "one-map-flattened",
            "C5 was counted on 5x5 = 25 inputs: those of one map. All 16 maps are flattened.",
            (_conv(1, 6), _conv(6, 16), _dense(25, 120), *_DENSE),
        ),
        Misconception(
            "kernel-not-square",
            "The kernels were counted with 5 weights. A 5x5 kernel has 25.",
            (6 * 5 + 6, 6 * 16 * 5 + 16, _dense(400, 120), *_DENSE),
        ),
    ),
    hints=(
        "A filter is a box of kernels: one for each map below it. And it has one bias.",
        "C1: 6 filters of 1x5x5 weights and a bias. C3: 16 filters of 6x5x5 weights and a bias.",
        "A dense layer from n numbers to m: n*m weights and m biases. C5 gets all of S4, flattened: 16x5x5 = 400 numbers.",
    ),
)

_SEEN = (3,) * 6 + (4,) * 9 + (6,)  # maps below that each of C3's filters saw in 1998
_C3 = sum(seen * 25 + 1 for seen in _SEEN)
_TRAINABLE = _conv(1, 6) + 2 * 6 + _C3 + 2 * 16 + _conv(16, 120) + _DENSE[0]

LENET_OF_1998 = HandExercise(
    name="L6.3",
    title="the network of 1998",
    points=2,
    expected=(_C3, _TRAINABLE),
    labels=("C3", "all together"),
    misconceptions=(
        Misconception(
            "every-map-seen",
            "C3 was counted as today, with filters that see all 6 maps. In 1998 most saw only 3 or 4 of them.",
            (_conv(6, 16), _TRAINABLE - _C3 + _conv(6, 16)),
        ),
        Misconception(
            "biases-forgotten",
            "The 16 biases of C3 are missing.",
            (_C3 - 16, _TRAINABLE - 16),
        ),
        Misconception(
            "pooling-forgotten",
            "S2 and S4 were left out. In 1998 each pooled map had a weight and a bias of its own.",
            (_C3, _TRAINABLE - 2 * 6 - 2 * 16),
        ),
        Misconception(
            "output-counted",
            "The output layer was counted as well. In 1998 it was fixed by hand, and did not learn.",
            (_C3, _TRAINABLE + _DENSE[1]),
        ),
    ),
    hints=(
        "A filter of C3 that sees 3 maps has 3 kernels of 25 weights and one bias.",
        "Count the kernels first: 6 filters with 3, 9 with 4, 1 with 6. Then 25 weights each, then the 16 biases.",
        "All together: C1, S2 (2 for each of 6 maps), C3, S4 (2 for each of 16 maps), C5, F6. The output layer learned nothing.",
    ),
)

# ------------------------------------------------------------------------------------------------ make_lenet

_SHAPES = [(6, 1, 5, 5), (6,), (16, 6, 5, 5), (16,), (120, 400), (120,), (84, 120), (84,), (10, 84), (10,)]


def _digits(seed=1, count=5):
    import torch

    return torch.rand(count, 1, 28, 28, generator=torch.Generator().manual_seed(seed))


def _weights(model):
    return [parameter.detach().cpu().double() for parameter in model.parameters()]


def _lenet(weights, x, activation="relu", pool="max_pool2d", silent=(), last=lambda scores: scores):
    """LeNet-5 computed from its ten arrays, with each decision open to being wrong; `silent` layers (1 to 4) have no activation."""
    import torch.nn.functional as F

    def active(number, values):
        return values if number in silent else getattr(F, activation)(values)

    x = getattr(F, pool)(active(1, F.conv2d(x, *weights[0:2], padding=2)), 2)
    x = getattr(F, pool)(active(2, F.conv2d(x, *weights[2:4])), 2).flatten(1)
    x = active(4, F.linear(active(3, F.linear(x, *weights[4:6])), *weights[6:8]))
    return last(F.linear(x, *weights[8:10]))


def _scores(model, x):
    """What a network gives for images, run as for a test."""
    import torch

    training = model.training
    try:
        with torch.no_grad():
            home = next(model.parameters())
            return model.eval()(x.to(home)).cpu().double()
    finally:
        model.train(training)


def _computes(*seed, **changed):
    """A predicate on a maker of networks: does what it makes compute LeNet-5 with these decisions changed?"""

    def shows(make):
        model, x = make(), _digits(*seed)
        return _close(_scores(model, x).numpy(), _lenet(_weights(model), x.double(), **changed).numpy())

    return shows


def _is_module(value):
    return not isinstance(value, type) and hasattr(value, "parameters") and hasattr(value, "state_dict") and callable(value)


def _complaint(make):
    """What torch says when the network is given digits; nothing when it takes them."""
    try:
        _scores(make(), _digits())
    except RuntimeError as error:
        return str(error)
    return ""


def _takes_digits(make):
    model = make()
    if model is None:
        return "make_lenet() returned None. Is there a `return` at the end?"
    if not _is_module(model):
        kind = "a class, which still has to be called" if isinstance(model, type) else f"a {type(model).__name__}"
        return f"make_lenet() should return a torch network, such as an nn.Sequential; it returned {kind}."
    shape = tuple(_scores(model, _digits()).shape)
    return None if shape == (5, 10) else f"for 5 images of 1x28x28 it gives {shape}. Each image should get 10 scores: (5, 10)."


def _has_the_parameters(make):
    return _wrong_parameters(make())


def _wrong_parameters(model):
    shapes = [tuple(parameter.shape) for parameter in model.parameters()]
    count = sum(math.prod(shape) for shape in shapes)
    if shapes == _SHAPES:
        return None
    if count != sum(math.prod(shape) for shape in _SHAPES):
        return f"it has {count:,} parameters, and LeNet-5 has 61,706. trace(make_lenet(), (1, 28, 28)) shows them layer by layer."
    return f"its arrays of parameters have other shapes, or another order: {', '.join(map(str, shapes))}."


def _computes_lenet(make, seed):
    if _wrong_parameters(make()):
        return "that can be told when the parameters are right."
    return (
        None
        if _computes(seed)(make)
        else "with its own weights it gives other scores than LeNet-5 would. Something between the layers differs."
    )


def _is_new_each_time(make):
    first, second = _weights(make()), _weights(make())
    if any(bool((a == b).all()) for a, b in zip(first[::2], second[::2], strict=True)):
        return "two calls give the same weights. Make the layers inside the function, so that each call starts afresh."
    return None


MAKE_LENET = ModelExercise(
    name="make_lenet",
    title="LeNet-5",
    points=4,
    expects="the function make_lenet()",
    accepts=callable,
    properties=(
        Property("Images in, scores out", 0.25, _takes_digits),
        Property("Parameters", 0.25, _has_the_parameters),
        Property("What it computes", 0.25, _computes_lenet, seeded=True),
        Property("A new network", 0.25, _is_new_each_time),
    ),
    misconceptions=(
        Misconception(
            "no-padding",
            "C1 has no padding: the maps shrink to 24x24 at once, and only 4x4 are left at the end. Give the first convolution padding=2.",
            lambda make: (
                (16 * 4 * 4) in {parameter.shape[-1] for parameter in make().parameters()} or "x256 and 400x120" in _complaint(make)
            ),
        ),
        Misconception(
            "not-flattened",
            "The first dense layer gets 16 maps instead of one row of 400 numbers. nn.Flatten() makes a row of them: it stands after S4.",
            lambda make: re.search(r"x[45] and 400x120", _complaint(make)),
        ),
        Misconception(
            "softmax-at-the-end",
            "The network ends with a softmax: its ten outputs are probabilities already. The loss wants scores; leave the softmax to it.",
            _computes(last=lambda scores: scores.softmax(1)),
        ),
        Misconception(
            "log-softmax-at-the-end",
            "The network ends with a log-softmax. F.cross_entropy does that itself; give it plain scores.",
            _computes(last=lambda scores: scores.log_softmax(1)),
        ),
        Misconception(
            "relu-on-the-scores",
            "A ReLU stands after the last layer. Scores may be negative: cut off at zero, a digit can never be called improbable.",
            _computes(last=lambda scores: scores.relu()),
        ),
        Misconception(
            "average-pooling",
            "It pools by averages, as in 1998. Here the maximum is asked for: nn.MaxPool2d(2).",
            _computes(pool="avg_pool2d"),
        ),
        Misconception(
            "tanh",
            "Its activation is tanh, as in 1998. Here it is a ReLU.",
            _computes(activation="tanh"),
        ),
        Misconception(
            "no-activation",
            "No activation anywhere. Layers without one between them are one linear layer: put nn.ReLU() after each but the last.",
            lambda make: any(_computes(silent=(1, 2, 3, 4), pool=pool)(make) for pool in ("max_pool2d", "avg_pool2d")),
        ),
        Misconception(
            "dense-layers-touch",
            "No activation stands between two of the dense layers, so these are no more than one. nn.ReLU() after each layer but the last.",
            lambda make: any(_computes(silent=silent)(make) for silent in ((3,), (4,), (3, 4))),
        ),
        Misconception(
            "convolutions-without-activation",
            "An activation is missing after a convolution. nn.ReLU() after each layer but the last.",
            lambda make: any(_computes(silent=silent)(make) for silent in ((1,), (2,), (1, 2))),
        ),
        Misconception(
            "made-once",
            "The layers were made once, outside the function. Then every network is the same one: training the second changes the first.",
            lambda make: _is_module(make()) and _close(*(np.concatenate([w.numpy().ravel() for w in _weights(make())]) for _ in range(2))),
        ),
    ),
    hints=(
        "Write the column 'in torch' of the table as a list, from top to bottom, inside nn.Sequential( ... ), and return it.",
        "A ReLU follows each convolution and each dense layer but the last. nn.Flatten() stands between S4 and C5.",
        "It begins nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), ...",
        "And it ends ..., nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10).",
    ),
)

# ------------------------------------------------------------------------------------------------ trained_lenet

_STAGES = (0.90, 0.97, 0.985, 0.99)


_MEASURED = weakref.WeakKeyDictionary()  # from a network to (its weights, its accuracy): a check asks more than once


def accuracy(model):
    """The share of MNIST's test images that a network names right, or None where it is no relative of LeNet-5.

    It is computed from the network's arrays, not by the network: one that has learned the test digits by heart gains nothing.
    """
    from ..data import load_mnist
    from ..training import evaluate

    weights = b"".join(weight.numpy().tobytes() for weight in _weights(model))
    if _MEASURED.get(model, (None,))[0] != weights:
        relative = _relative(model)
        _MEASURED[model] = weights, None if relative is None else evaluate(relative, *load_mnist("test"))
    return _MEASURED[model][1]


def _relative(model):
    """A network that computes from the same arrays what this one does, with other layers of its kind where need be; None if none does."""
    import torch

    weights, x = _weights(model), _digits()
    scores = _scores(model, x).numpy()
    for decisions in _DECISIONS:
        if _close(scores, _lenet(weights, x.double(), **decisions).numpy()):
            break
    else:
        return None

    class Relative(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.arrays = torch.nn.ParameterList(weight.float() for weight in weights)

        def forward(self, images):
            return _lenet(list(self.arrays), images, **decisions)

    return Relative()


_DECISIONS = [
    {"pool": pool, "activation": activation, "silent": silent, "last": last}
    for silent in ((), (3,), (4,), (3, 4), (1,), (2,), (1, 2), (1, 2, 3, 4))
    for pool in ("max_pool2d", "avg_pool2d")
    for activation in ("relu", "tanh", "sigmoid", "leaky_relu", "elu", "gelu", "silu")
    for last in (
        lambda scores: scores,
        lambda scores: scores.softmax(1),
        lambda scores: scores.log_softmax(1),
        lambda scores: scores.relu(),
    )
]
"""Of `_lenet`: all that somebody may have built who trains a LeNet-5 and calls it one."""


def _reaches(least):
    def reason(model):
        reached = accuracy(model)
        if reached is None:
            return "with its own weights it gives other scores than LeNet-5 would, or one with another activation or pooling."
        return (
            None
            if reached >= least
            else f"it names {100 * reached:.2f} % of the 10,000 test digits right, and {100 * least:g} % are asked for."
        )

    return reason


def _is_a_trained_lenet(model):
    return _wrong_parameters(model) or _reaches(_STAGES[0])(model)


TRAINED_LENET = ModelExercise(
    name="trained_lenet",
    title="LeNet-5, trained",
    points=4,
    expects="a trained network, an nn.Module that takes images of shape (N, 1, 28, 28)",
    accepts=_is_module,
    properties=(
        Property("A LeNet-5 that has learned", 0.25, _is_a_trained_lenet),
        *(Property(f"At least {100 * least:g} %", 0.25, _reaches(least)) for least in _STAGES[1:]),
    ),
    misconceptions=(
        Misconception(
            "another-network",
            "This is not the network of make_lenet(): its parameters have other shapes. Which one went into train?",
            lambda model: _wrong_parameters(model) is not None,
        ),
        Misconception(
            "not-trained",
            "The network guesses: about one digit in ten is right. Was it trained, or is this a new one that make_lenet() made afterwards?",
            lambda model: (accuracy(model) or 1) < 0.2,
        ),
        Misconception(
            "trained-on-too-little",
            "It has learned, but little. Did it see all 60,000 training images, three times?",
            lambda model: 0.2 <= (accuracy(model) or 1) < _STAGES[2],
        ),
    ),
    hints=(
        "Two lines: a network from make_lenet(), and train(...) on the training images and labels.",
        "train(lenet, *training, epochs=3, test=test) is the call of section 3, with another network.",
        "Below 99 %? Look whether all training images went in, and whether batch_size and learning_rate are those of the library.",
    ),
)

# ------------------------------------------------------------------------------------------------ most_confused


def most_confused(matrix):
    """The right answer: (label, predicted, count) of the largest entry off the diagonal."""
    counts = np.array(matrix, dtype=float)
    np.fill_diagonal(counts, -1)
    label, predicted = np.unravel_index(counts.argmax(), counts.shape)
    return int(label), int(predicted), int(counts[label, predicted])


def _largest(matrix, scores):
    label, predicted = np.unravel_index(np.argmax(scores), np.shape(scores))
    return int(label), int(predicted), int(np.asarray(matrix)[label, predicted])


def _without_diagonal(matrix):
    counts = np.array(matrix, dtype=float)
    np.fill_diagonal(counts, -1)
    return counts


def _pair_together(matrix):
    both = _without_diagonal(matrix + matrix.T)
    label, predicted = np.unravel_index(both.argmax(), both.shape)
    return int(label), int(predicted), int(both[label, predicted])


def _smallest_right(matrix):
    label = int(np.argmin(np.diag(matrix)))
    row = _without_diagonal(matrix)[label]
    return label, int(row.argmax()), int(row.max())


def _random_confusion(draw):
    classes = draw.integer(2, 5)
    counts = draw.integers(classes, classes, low=0, high=9).astype(int)
    counts[np.diag_indices(classes)] += 20
    label = draw.integer(0, classes - 1)
    counts[label, (label + draw.integer(1, classes - 1)) % classes] += 10  # no two are equal
    return Case((counts,))


MOST_CONFUSED = CodeExercise(
    name="most_confused",
    title="the commonest mistake",
    points=2,
    reference=most_confused,
    signature="most_confused(matrix)",
    cases=(
        Case((np.array([[50, 2, 1], [7, 40, 3], [0, 9, 60]]),)),
        Case((np.array([[30, 4, 0, 2], [1, 25, 6, 0], [3, 5, 33, 2], [8, 1, 0, 2]]),)),
        Case((np.array([[5, 12], [3, 90]]),), layout="read-only"),
        Case((np.array([[20, 1, 6, 0, 0], [2, 4, 1, 3, 0], [6, 0, 70, 1, 2], [0, 0, 3, 55, 10], [4, 0, 1, 5, 80]]),)),
        Case((np.array([[1, 0, 0], [0, 1, 0], [2, 0, 1]]),), layout="fortran"),
        Case((np.array([[3, 0, 0], [0, 2, 1], [0, 0, 4]]),)),
    ),
    random_case=_random_confusion,
    exact=True,
    outputs=("label", "predicted", "count"),
    misconceptions=(
        Misconception(
            "diagonal-counted",
            "This is the largest entry of all. It stands on the diagonal, where the network was right.",
            lambda matrix: _largest(matrix, matrix),
        ),
        Misconception(
            "rows-and-columns-swapped",
            "The two digits are exchanged. Rows are what the images are, columns what they were taken for.",
            lambda matrix: (most_confused(matrix)[1], most_confused(matrix)[0], most_confused(matrix)[2]),
        ),
        Misconception(
            "both-directions",
            "Mistakes in both directions were added up. A 4 taken for a 9 is another mistake than a 9 taken for a 4.",
            _pair_together,
        ),
        Misconception(
            "worst-row",
            "This looks at the digit that is right least often. The commonest single mistake may be another digit's.",
            _smallest_right,
        ),
        Misconception(
            "share-of-the-row",
            "This is the largest share of a row. The largest count is asked for.",
            lambda matrix: _largest(matrix, _without_diagonal(matrix) / np.sum(matrix, axis=1, keepdims=True)),
        ),
    ),
    hints=(
        "Off the diagonal, which entry is largest, and in which row and column?",
        "Work on a copy: counts = matrix.copy(), then np.fill_diagonal(counts, 0).",
        "np.argmax counts in reading order; np.unravel_index(counts.argmax(), counts.shape) makes row and column of it.",
    ),
)

# ------------------------------------------------------------------------------------------------ shifted


def shifted(images, down, right):
    """The right answer: (N, H, W) moved by so many pixels, zeros moving in."""
    images = np.asarray(images)
    moved = np.zeros_like(images)
    height, width = images.shape[1:]
    for row in range(max(0, down), min(height, height + down)):
        for column in range(max(0, right), min(width, width + right)):
            moved[:, row, column] = images[:, row - down, column - right]
    return moved


def _cut_with_minus_zero(images, down, right):
    moved = np.zeros_like(images)
    moved[:, down:, right:] = images[:, :-down, :-right]
    return moved


def _edges_repeated(images, down, right):
    height, width = np.shape(images)[1:]
    rows, columns = np.clip(np.arange(height) - down, 0, height - 1), np.clip(np.arange(width) - right, 0, width - 1)
    return np.asarray(images)[:, rows][:, :, columns]


def _random_shift(draw):
    images, height, width = draw.integer(1, 2), draw.integer(2, 4), draw.integer(2, 5)
    return Case((draw.integers(images, height, width), draw.integer(1 - height, height - 1), draw.integer(1 - width, width - 1)))


_ROWS = np.arange(1, 25).reshape(2, 3, 4)
_NOISE = np.array([[[9, 1, 2, 7, 3], [4, 8, 5, 6, 1], [2, 7, 9, 3, 8], [5, 6, 1, 4, 2]]])


def _of_the_same_type(moved, images, down, right):
    """The moved images. Bytes must stay bytes: floats would reach a network as they are, without being standardized."""
    kind = np.asarray(moved).dtype if not hasattr(moved, "detach") else moved.detach().cpu().numpy().dtype
    if images.dtype == np.uint8 and kind != np.uint8:
        raise TypeError(f"images of type uint8 came in, {kind} went out")
    return moved


SHIFTED = CodeExercise(
    name="shifted",
    title="move the digits",
    points=2,
    reference=shifted,
    signature="shifted(images, down, right)",
    cases=(
        Case((_ROWS, 1, 2)),
        Case((_NOISE, 2, 1)),
        Case((_ROWS.astype(float) / 2, 0, 1), layout="read-only"),
        Case((_NOISE, 3, 0)),
        Case((_NOISE, 0, 0)),
        Case((_ROWS, -1, -2), part="up and left"),
        Case((_NOISE, 2, -3), part="up and left", layout="strided"),
        Case((_NOISE, -3, 4), part="up and left"),
        Case((_NOISE[:, :2], 1, -4), part="up and left"),
        Case((_NOISE[:, :, :2], -3, 1), part="up and left"),
        Case((_NOISE.astype(np.uint8), 1, 2), part="type"),
    ),
    random_case=lambda draw: _part_of_shift(_random_shift(draw)),
    parts={"core": 0.5, "up and left": 0.25, "type": 0.25},
    observe=_of_the_same_type,
    misconceptions=(
        Misconception(
            "wraps-around",
            "What leaves on one side comes back on the other, as np.roll does. Here zeros move in.",
            lambda images, down, right: np.roll(images, (down, right), axis=(1, 2)),
        ),
        Misconception(
            "axes-swapped",
            "Down and right are exchanged. In (N, H, W) rows are axis 1, columns axis 2.",
            lambda images, down, right: shifted(images, right, down),
        ),
        Misconception(
            "the-other-way",
            "It moves the other way. Row i of the result is row i - down of the image.",
            lambda images, down, right: shifted(images, -down, -right),
        ),
        Misconception(
            "edges-repeated",
            "The border was repeated into the free space. There the paper is empty: 0.",
            _edges_repeated,
        ),
        Misconception(
            "minus-zero",
            "A slice [:-n] keeps nothing when n is 0, and something else when n is negative. Write its end as height - n.",
            _cut_with_minus_zero,
        ),
        Misconception(
            "cropped",
            "The result is smaller than the image. Its size stays, and zeros fill what has become free.",
            lambda images, down, right: np.asarray(images)[:, : np.shape(images)[1] - abs(down), : np.shape(images)[2] - abs(right)],
        ),
        Misconception(
            "padded-larger",
            "The result is larger than the image. What is pushed over the edge is lost; cut it off.",
            lambda images, down, right: np.pad(images, ((0, 0), (max(down, 0), max(-down, 0)), (max(right, 0), max(-right, 0)))),
        ),
        Misconception(
            "batch-moved",
            "The axes are one off: the images of the batch changed places. Axis 0 counts images.",
            lambda images, down, right: shifted(np.transpose(images, (2, 0, 1)), down, right).transpose(1, 2, 0),
        ),
        Misconception(
            "negative-shifts-ignored",
            "Down and right are fine. A negative number should move up or left; here nothing moves.",
            lambda images, down, right: shifted(images, max(down, 0), max(right, 0)),
        ),
        Misconception(
            "sign-dropped",
            "A negative number moves as if it were positive. Down -1 is one up.",
            lambda images, down, right: shifted(images, abs(down), abs(right)),
        ),
        Misconception(
            "type-changed",
            "The pixels are right, but bytes (uint8) came in and another type went out. np.zeros makes floats, np.zeros_like what its "
            "model is; or give it dtype=images.dtype.",
            lambda images, down, right: shifted(images, down, right).astype(float),
        ),
    ),
    hints=(
        "Start from zeros of the same shape and type, np.zeros_like(images), and copy the part that stays in the picture.",
        "For a move down by 2, rows 2, 3, ... of the result are rows 0, 1, ... of the image. For a move up it is the other way round.",
        "Another way: np.pad the two picture axes with enough zeros on all sides, then cut a window of the old size out of it.",
        "padded = np.pad(images, ((0, 0), (height, height), (width, width))); the window starts at row height - down.",
    ),
)


def _part_of_shift(case):
    _, down, right = case.args
    return replace(case, part="up and left") if min(down, right) < 0 else case


# ------------------------------------------------------------------------------------------------ L6.4

INVARIANCE = HandExercise(
    name="L6.4",
    title="what a shift does",
    points=2,
    expected=(1, 0, 1, 0),
    labels=("a", "b", "c", "d"),
    misconceptions=(
        Misconception(
            "equivariant-is-not-invariant",
            "Shared weights make the maps move with the digit: equivariance. That the answer stays the same would be invariance.",
            (1, 1, 1, 1),
        ),
        Misconception(
            "invariance-by-sharing",
            "You hold that sharing weights settles it. It settles the maps. What do the dense layers see when the maps move?",
            (1, 0, 1, 1),
        ),
        Misconception(
            "dense-layers-are-blind",
            "A dense layer has a weight of its own for each of the 400 values, so it does tell places apart.",
            (1, 0, 0, 0),
        ),
        Misconception(
            "pooling-swallows-it",
            "Pooling swallows a part of a small move, for some of the values: a maximum of four is often, not always, the same after it. "
            "The cell below this exercise counts for how many.",
            (1, 1, 1, 0),
        ),
        Misconception("turned-round", "Each of the four is the other way round. 1 is for true, 0 for false.", (0, 1, 0, 1)),
    ),
    hints=(
        "Write 1 for true and 0 for false. Where in LeNet-5 does a weight belong to a place in the picture, and where not?",
        "Equivariant: the output moves along. Invariant: the output stays. A convolution is one of the two.",
        "The curves above say what a move of a few pixels does to LeNet-5 as a whole.",
    ),
)

# ------------------------------------------------------------------------------------------------ restored


def restored(shuffled, order):
    """The right answer: the images (N, H, W) whose pixels, read in this order, make the shuffled ones."""
    shuffled, order = np.asarray(shuffled), np.asarray(order)
    return shuffled.reshape(len(shuffled), -1)[:, np.argsort(order)].reshape(shuffled.shape)


def _taken(shuffled, order):
    shuffled = np.asarray(shuffled)
    return shuffled.reshape(len(shuffled), -1)[:, order].reshape(shuffled.shape)


def _random_order(draw):
    images, height, width = draw.integer(1, 2), draw.integer(2, 3), draw.integer(2, 4)
    order = list(range(height * width))
    for last in range(len(order) - 1, 0, -1):
        other = draw.integer(0, last)
        order[last], order[other] = order[other], order[last]
    return Case((draw.integers(images, height, width), np.array(order)))


RESTORED = CodeExercise(
    name="restored",
    title="undo the shuffle",
    points=2,
    reference=restored,
    signature="restored(shuffled, order)",
    cases=(
        Case((np.array([[[5, 1, 7], [2, 9, 4]]]), np.array([1, 2, 0, 5, 3, 4]))),
        Case((np.arange(24.0).reshape(2, 4, 3) ** 1.5, np.array([3, 0, 7, 10, 1, 11, 5, 2, 8, 4, 9, 6]))),
        Case(
            (np.array([[[8, 3], [1, 6], [2, 7]], [[0, 9], [5, 4], [3, 3]]], dtype=np.uint8), np.array([4, 2, 5, 0, 1, 3])),
            layout="read-only",
        ),
        Case((np.array([[[1.5, -2.0, 0.5, 3.0, 4.0]]]), np.array([2, 3, 4, 0, 1])), layout="strided"),
        Case((np.arange(16).reshape(2, 2, 4) % 7, np.array([6, 1, 3, 0, 7, 2, 5, 4])), layout="fortran"),
    ),
    random_case=_random_order,
    misconceptions=(
        Misconception(
            "shuffled-again",
            "The order was applied once more: pixel k came from order[k] already. Now it has to go back there.",
            _taken,
        ),
        Misconception(
            "read-backwards",
            "The order was read from its end. That is another shuffle, not the way back.",
            lambda shuffled, order: _taken(shuffled, np.asarray(order)[::-1]),
        ),
        Misconception(
            "pixels-turned-round",
            "The pixels come in the opposite order. Going back means: pixel k of the shuffled image belongs at place order[k].",
            lambda shuffled, order: np.asarray(shuffled).reshape(len(shuffled), -1)[:, ::-1].reshape(np.shape(shuffled)),
        ),
        Misconception(
            "pixels-sorted",
            "The pixels were sorted by how bright they are. It is the order that tells where each belongs.",
            lambda shuffled, order: np.sort(np.asarray(shuffled).reshape(len(shuffled), -1), axis=1).reshape(np.shape(shuffled)),
        ),
        Misconception(
            "still-flat",
            "The pixels are in their places, but still in one long row. Give them their rows and columns back: reshape.",
            lambda shuffled, order: restored(shuffled, order).reshape(len(shuffled), -1),
        ),
        Misconception(
            "not-restored",
            "The images came back as they were.",
            lambda shuffled, order: np.array(shuffled),
        ),
        Misconception(
            "columns-first",
            "Places were counted down the columns. In a flattened image they go along the rows: reshape with its usual order.",
            lambda shuffled, order: restored(np.transpose(shuffled, (0, 2, 1)), order).transpose(0, 2, 1),
        ),
        Misconception(
            "first-image-only",
            "Only the first image is restored, and stands in for all of them.",
            lambda shuffled, order: np.repeat(restored(shuffled, order)[:1], len(shuffled), axis=0),
        ),
    ),
    hints=(
        "The shuffle said: flat_shuffled[:, k] = flat[:, order[k]]. Write the same equation with flat alone on the left.",
        "Start from np.empty_like(flat) and fill the places: flat[:, order] = ...",
        "np.argsort(order) is the way back: it says for each place where its pixel is now. Do not forget to reshape at the end.",
    ),
)

EXERCISES = (
    LOSS_BY_HAND,
    CROSS_ENTROPY,
    TRAIN_STEP,
    LENET_BY_HAND,
    LENET_OF_1998,
    MAKE_LENET,
    TRAINED_LENET,
    MOST_CONFUSED,
    SHIFTED,
    INVARIANCE,
    RESTORED,
)
