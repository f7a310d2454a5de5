"""The trained network of `look_inside`: a relative of LeNet-5 in NumPy, with its weights in `network.npz` beside this file.

It names 99.21 % of MNIST's test digits right. Its layers have other sizes than those of lessons 6 and 7, whose networks students train
themselves. ``python -m course_lib.explorers.network`` trains it anew, as lesson 6 does, and writes the file: a minute or two on two cores.
The seed is fixed; another machine or version of torch rounds differently, and gives a slightly different network.
"""

from pathlib import Path

import numpy as np

from course_lib import layers

WEIGHTS = Path(__file__).with_name("network.npz")
MEAN, SPREAD = 33.3184, 78.5675  # those of `course_lib.training`, which cannot be imported without torch
KINDS = {"Conv2d": "convolution", "MaxPool2d": "pooling", "AvgPool2d": "pooling", "Linear": "dense"}
ACTIVATIONS = ("ReLU", "Tanh", "Sigmoid", "LeakyReLU", "GELU", "SiLU", "ELU", "Hardtanh")


def load_network():
    """The trained network as a `course_lib.layers.Sequential`: standardized images (N, 1, 28, 28) in, scores (N, 10) out."""
    rng = np.random.default_rng(0)  # what it draws is replaced below
    network = layers.Sequential(
        *(layers.Conv2d(1, 8, 5, padding=2, rng=rng), layers.ReLU(), layers.MaxPool2d(2)),
        *(layers.Conv2d(8, 16, 5, rng=rng), layers.ReLU(), layers.MaxPool2d(2)),
        *(layers.Flatten(), layers.Linear(400, 64, rng=rng), layers.ReLU(), layers.Linear(64, 10, rng=rng)),
    )
    with np.load(WEIGHTS, allow_pickle=False) as stored:
        for parameter, name in zip(network.parameters(), stored.files, strict=True):
            value = stored[name].astype(np.float32)
            parameter.value = value.T if value.ndim == 2 else value  # a dense layer of NumPy's is the transpose of torch's
    return network


def standardized(images):
    """Bytes (N, 28, 28) as what the networks of this course take, float32 (N, 1, 28, 28): as `course_lib.training.as_input` has it."""
    return ((np.asarray(images, np.float32) - np.float32(MEAN)) / np.float32(SPREAD))[:, None]


def stages(network, images):
    """What each layer of a network makes of images, in order.

    Parameters
    ----------
    network : course_lib.layers.Sequential or torch.nn.Module
        Takes (N, 1, 28, 28), gives scores (N, 10).
    images : ndarray of uint8, (N, 28, 28)

    Returns
    -------
    list of (str, ndarray)
        Names such as ``"convolution 1"``, and outputs (N, C, H, W) or (N, numbers), those of an activation in place of what it takes. The
        last one are the scores.
    """
    x = standardized(images)
    outputs = _numpy_outputs(network, x) if isinstance(network, layers.Sequential) else _torch_outputs(network, x)
    found, counts = [], {}
    for kind, output in outputs:
        if kind in KINDS:
            counts[KINDS[kind]] = counts.get(KINDS[kind], 0) + 1
            found.append((f"{KINDS[kind]} {counts[KINDS[kind]]}", output))
        elif kind in ACTIVATIONS and found:
            found[-1] = found[-1][0], output
    scores = outputs[-1][1]
    if scores.shape != (len(x), 10):
        raise ValueError(f"the network must give ten scores an image, shape {(len(x), 10)}; it gives {scores.shape}")
    return [*found[:-1], ("scores", scores)]


def probabilities(scores):
    """Softmax: scores (N, 10) as probabilities that add up to 1, in double precision."""
    powers = np.exp(scores.astype(np.float64) - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _numpy_outputs(network, x):
    outputs = []
    for layer in network.layers:
        x = layer(x)
        outputs.append((type(layer).__name__, x))
    return outputs


def _torch_outputs(network, x):
    """The outputs of a torch network's innermost modules, in the order in which they are called, and last its own."""
    import torch  # only a network of the student's own needs it

    def keep(module, _arguments, output):
        outputs.append((type(module).__name__, output.detach().float().cpu().numpy()))

    outputs, modes = [], {module: module.training for module in network.modules()}
    hooks = [module.register_forward_hook(keep) for module in modes if not list(module.children())]
    home = next(network.parameters(), torch.empty(0))
    try:
        with torch.no_grad():
            scores = network.eval()(torch.from_numpy(x).to(home))
    finally:
        for hook in hooks:
            hook.remove()
        for module, training in modes.items():
            module.training = training
    return [*outputs, ("scores", scores.float().cpu().numpy())]


def _train():
    """Train the network as lesson 6 does, and write its weights. They are stored in half precision, which is exact to three digits."""
    import torch
    from torch import nn

    from course_lib.data import load_mnist
    from course_lib.training import train

    torch.manual_seed(0)
    convolutions = nn.Conv2d(1, 8, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 5), nn.ReLU(), nn.MaxPool2d(2)
    model = nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(400, 64), nn.ReLU(), nn.Linear(64, 10))
    train(model, *load_mnist("train"), epochs=3, test=load_mnist("test"), device="cpu")
    np.savez_compressed(WEIGHTS, **{name: value.numpy().astype(np.float16) for name, value in model.state_dict().items()})


if __name__ == "__main__":
    _train()
