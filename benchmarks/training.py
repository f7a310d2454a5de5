"""Training beside torch and its usual loop: python -m benchmarks.training.

*LeNet-5* is trained until 99.0 % of MNIST's test images are right. Here that is `course_lib.training.train` with two epochs, batches of
64 and a learning rate of 0.05, from five seeds; where it does not do, it is done again with an epoch more, and both count. Beside it stands
the usual loop, from one seed: torchvision's dataset and transforms, a `DataLoader`, Adam with a learning rate of 0.001 and batches of 64,
epoch after epoch, ten at most; in turn, one of its epochs and one training here. Looking at the test images is not counted. *The network of
lesson 7*, in NumPy alone, stands beside the same in torch, both with batches of 50 and Adam.
"""

import statistics
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from benchmarks import table
from course_lib import layers, load_mnist
from course_lib.data import DATA
from course_lib.models import LeNet5
from course_lib.training import MEAN, SPREAD, evaluate, train

TITLE = "Training"
THREADS = (2,)
GOAL = 0.99
SEEDS = 5
MOST_EPOCHS = 10  # of the usual loop
BATCHES = 100


def rows():
    """Measure, and return all rows."""
    return [lenet(), numpy_network()]


def lenet():
    """Seconds until LeNet-5 reaches the goal."""
    test = load_mnist("test")
    here, beside, accuracy, usual = [], [], 0.0, usual_epochs()
    for seed in range(MOST_EPOCHS):
        if seed < SEEDS:
            here.append(training(seed, test))
        if accuracy < GOAL:
            seconds, model = next(usual)
            beside.append(seconds)
            accuracy = evaluate(model, *test)
    ours, total = statistics.median(here), sum(beside)
    reached = "" if accuracy >= GOAL else f" and {100 * accuracy:.1f} %"
    peer = f"usual loop, {len(beside)} epochs{reached}, {table.span(total)}"
    return table.judged("LeNet-5 to 99.0 %", table.span(ours), peer, ours / total, most=0.2)


def training(seed, test):
    """Train with this course's library until the goal is reached; return the seconds."""
    seconds, epochs, accuracy = 0.0, 2, 0.0
    while accuracy < GOAL:
        torch.manual_seed(seed)
        model = LeNet5()
        history = train(model, *load_mnist("train"), epochs=epochs, batch_size=64, learning_rate=0.05, seed=seed, progress=False)
        seconds, epochs, accuracy = seconds + history.seconds, epochs + 1, evaluate(model, *test)
    return seconds


def usual_epochs():
    """Train as most tutorials do: yield each epoch's seconds, and the network as it is then."""
    torch.manual_seed(0)
    model = LeNet5()
    change = transforms.Compose([transforms.ToTensor(), transforms.Normalize((MEAN / 255,), (SPREAD / 255,))])
    batches = DataLoader(datasets.MNIST(DATA, train=True, transform=change), batch_size=64, shuffle=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    while True:
        start = time.perf_counter()
        for images, labels in batches:
            optimizer.zero_grad()
            F.cross_entropy(model(images), labels).backward()
            optimizer.step()
        yield time.perf_counter() - start, model


def numpy_network():
    """The same batches of digits, again and again, in turn with torch."""
    images, labels = load_mnist("train")
    images, labels = images[: 50 * BATCHES, None].astype("float32") / 255, labels[: 50 * BATCHES]
    rng = np.random.default_rng(7)
    here = layers.Sequential(
        layers.Conv2d(1, 8, 5, rng=rng),
        layers.ReLU(),
        layers.MaxPool2d(2),
        layers.Conv2d(8, 16, 3, 2, rng=rng),
        layers.ReLU(),
        layers.Flatten(),
        layers.Linear(400, 10, rng=rng),
    )
    there = nn.Sequential(
        nn.Conv2d(1, 8, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(400, 10)
    )
    optimizer, peer = layers.Adam(here.parameters(), 0.005), torch.optim.Adam(there.parameters(), 0.005)
    tensors = torch.from_numpy(images), torch.from_numpy(labels).long()

    def in_numpy():
        for first in range(0, len(images), 50):
            batch = slice(first, first + 50)
            _, d_scores = layers.softmax_cross_entropy(here(images[batch]), labels[batch])
            here.backward(d_scores)
            optimizer.step()

    def in_torch():
        for batch, wanted in zip(*(tensor.split(50) for tensor in tensors), strict=True):
            peer.zero_grad()
            F.cross_entropy(there(batch), wanted).backward()
            peer.step()

    return table.timed(f"the network of lesson 7, {BATCHES} batches of 50", table.medians({"here": in_numpy, "torch": in_torch}, 5), most=4)


if __name__ == "__main__":
    table.main("benchmarks.training")
