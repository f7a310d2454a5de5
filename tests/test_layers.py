"""NumPy layers against torch's of the same name, their gradients against finite differences; and that a small network learns."""

import doctest
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from course_lib import layers
from course_lib.data import load_mnist
from course_lib.layers import (
    SGD,
    Adam,
    AvgPool2d,
    Conv2d,
    Flatten,
    GlobalAvgPool2d,
    Linear,
    MaxPool2d,
    Parameter,
    ReLU,
    Sequential,
    he_normal,
    softmax_cross_entropy,
)


def generator(seed=0):
    return np.random.default_rng(seed)


def images(*shape, dtype=np.float64):
    return generator(1).normal(size=shape).astype(dtype)


def small_network(dtype=np.float64):
    rng = generator(2)
    return Sequential(
        Conv2d(1, 3, (3, 2), stride=(1, 2), padding=1, rng=rng, dtype=dtype),
        ReLU(),
        MaxPool2d((2, 2), stride=1),
        Conv2d(3, 2, 2, rng=rng, dtype=dtype),
        AvgPool2d(2, stride=1),
        Flatten(),
        Linear(2 * 3 * 2, 5, rng=rng, dtype=dtype),
        ReLU(),
        Linear(5, 3, rng=rng, dtype=dtype),
    )


def torch_network(network):
    """The same network with the same weights in torch."""
    twin = torch.nn.Sequential(
        torch.nn.Conv2d(1, 3, (3, 2), stride=(1, 2), padding=1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2, stride=1),
        torch.nn.Conv2d(3, 2, 2),
        torch.nn.AvgPool2d(2, stride=1),
        torch.nn.Flatten(),
        torch.nn.Linear(12, 5),
        torch.nn.ReLU(),
        torch.nn.Linear(5, 3),
    ).double()
    with torch.no_grad():
        for theirs, ours in zip(twin.parameters(), network.parameters(), strict=True):
            theirs.copy_(torch.from_numpy(as_torch(ours.value)))
    return twin


def as_torch(array):
    """A parameter or gradient as torch lays it out: a dense layer's weight has (out, in)."""
    return np.array(array.T if array.ndim == 2 else array, dtype=np.float64)


# --- layers ---


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_network_and_its_gradients_equal_torch(dtype):
    network, x, labels = small_network(dtype), images(4, 1, 6, 9, dtype=dtype), np.array([0, 2, 1, 2])
    twin, leaf = torch_network(network), torch.from_numpy(x.astype(np.float64)).requires_grad_()
    logits = network(x)
    loss, d_logits = softmax_cross_entropy(logits, labels)
    d_x = network.backward(d_logits)
    expected = F.cross_entropy(twin(leaf), torch.from_numpy(labels))
    expected.backward()
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    assert loss == pytest.approx(expected.item(), rel=tolerance)
    np.testing.assert_allclose(logits, twin(leaf).detach(), rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(d_x, leaf.grad, rtol=tolerance, atol=tolerance)
    for ours, theirs in zip(network.parameters(), twin.parameters(), strict=True):
        np.testing.assert_allclose(as_torch(ours.gradient), theirs.grad, rtol=tolerance, atol=tolerance)
        assert ours.gradient.dtype == dtype
    assert logits.dtype == d_logits.dtype == d_x.dtype == dtype


def test_gradients_of_all_parameters_equal_finite_differences():
    network, x, labels = small_network(), images(3, 1, 6, 9), np.array([1, 0, 2])
    network.backward(softmax_cross_entropy(network(x), labels)[1])
    for parameter in network.parameters():
        gradient, step = parameter.gradient.copy(), 1e-6
        expected = np.empty_like(gradient)
        for cell in np.ndindex(gradient.shape):
            before = parameter.value[cell]
            parameter.value[cell] = before + step
            above = softmax_cross_entropy(network(x), labels)[0]
            parameter.value[cell] = before - step
            below = softmax_cross_entropy(network(x), labels)[0]
            parameter.value[cell] = before
            expected[cell] = (above - below) / (2 * step)
        np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(
    ("layer", "theirs"),
    [
        (ReLU(), torch.nn.ReLU()),
        (MaxPool2d(), torch.nn.MaxPool2d(2)),
        (MaxPool2d((3, 2), stride=(1, 2)), torch.nn.MaxPool2d((3, 2), stride=(1, 2))),
        (AvgPool2d(3), torch.nn.AvgPool2d(3)),
        (GlobalAvgPool2d(), torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())),
        (Flatten(), torch.nn.Flatten()),
        (Sequential(), torch.nn.Identity()),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layer_without_parameters_equals_torchs(layer, theirs):
    x = images(2, 3, 7, 6)
    leaf = torch.from_numpy(x).requires_grad_()
    y, expected = layer(x), theirs(leaf)
    d_y = generator(3).normal(size=y.shape)
    expected.backward(torch.from_numpy(d_y))
    np.testing.assert_allclose(y, expected.detach(), rtol=1e-12)
    np.testing.assert_allclose(layer.backward(d_y), leaf.grad, rtol=1e-12)
    assert layer.parameters() == []


def test_relu_passes_nothing_back_at_zero():
    layer = ReLU()
    assert layer(np.array([-1.0, 0.0, 2.0])).tolist() == [0, 0, 2]
    assert layer.backward(np.ones(3)).tolist() == [0, 0, 1]


def test_backward_replaces_the_last_gradient():
    layer = Linear(2, 1, rng=generator())
    for _ in range(2):
        layer(np.array([[3.0, 4.0]]))
        layer.backward(np.ones((1, 1)))
        assert layer.weight.gradient.tolist() == [[3], [4]]


def test_own_functions_do_the_work():
    calls = []

    def forward(x, weight, bias, stride, padding):
        calls.append((x.shape, weight.shape, bias.shape, stride, padding))
        return np.zeros((2, 3, 1, 1))

    def backward(d_y, x, weight, stride, padding):
        calls.append((d_y.shape, x.shape, weight.shape, stride, padding))
        return "d_x", np.ones((3, 1, 2, 2)), np.ones(3)

    layer = Conv2d(1, 3, 2, stride=2, padding=1, rng=generator(), forward=forward, backward=backward)
    assert layer(np.zeros((2, 1, 4, 4))).shape == (2, 3, 1, 1)
    assert layer.backward(np.ones((2, 3, 1, 1))) == "d_x"
    assert calls == [((2, 1, 4, 4), (3, 1, 2, 2), (3,), 2, 1), ((2, 3, 1, 1), (2, 1, 4, 4), (3, 1, 2, 2), 2, 1)]
    assert layer.weight.gradient.tolist() == np.ones((3, 1, 2, 2)).tolist()

    pool = MaxPool2d(
        2, forward=lambda x, size, stride: ("forward", size, stride), backward=lambda d_y, x, size, stride: (d_y, x, size, stride)
    )
    assert pool("x") == ("forward", 2, 2)
    assert pool.backward("d_y") == ("d_y", "x", 2, 2)


def test_a_gradient_of_another_shape_is_refused():
    layer = Conv2d(1, 3, 2, rng=generator(), backward=lambda d_y, x, weight, stride, padding: (x, weight[0], d_y))
    layer(np.zeros((1, 1, 4, 4)))
    with pytest.raises(ValueError, match=r"the shape of its parameter, \(3, 1, 2, 2\), got \(1, 2, 2\)"):
        layer.backward(np.zeros((1, 3, 3, 3)))


@pytest.mark.parametrize(
    "layer", [ReLU(), MaxPool2d(), GlobalAvgPool2d(), Flatten(), Linear(2, 2, rng=generator()), Conv2d(1, 1, 1, rng=generator())]
)
def test_backward_before_forward_says_what_to_do(layer):
    with pytest.raises(RuntimeError, match=f"{type(layer).__name__}.backward needs .* call the layer on a batch first"):
        layer.backward(np.ones((1, 2)))


def test_linear_asks_for_rows():
    with pytest.raises(ValueError, match=r"Linear takes \(N, 8\), got \(1, 2, 2, 2\); Flatten\(\) before it"):
        Linear(8, 2, rng=generator())(np.ones((1, 2, 2, 2)))
    with pytest.raises(ValueError, match=r"Linear takes \(N, 8\), got \(1, 9\)"):
        Linear(8, 2, rng=generator())(np.ones((1, 9)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conv2d(0, 1, 3, rng=generator()), "in_channels must be at least 1, got 0"),
        (lambda: Conv2d(1, 1.5, 3, rng=generator()), "out_channels must be a whole number, got 1.5"),
        (lambda: Conv2d(1, 1, (3, 0), rng=generator()), r"kernel_size\[1\] must be at least 1, got 0"),
        (lambda: Linear(0, 1, rng=generator()), "in_features must be at least 1, got 0"),
    ],
)
def test_impossible_layers_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# --- initial values ---


def test_he_normal_keeps_the_size_of_the_signal_through_relu():
    weight = he_normal((400, 10, 5, 6), generator(4), np.float64)
    assert weight.std() == pytest.approx(np.sqrt(2 / (10 * 5 * 6)), rel=0.01)
    assert abs(weight.mean()) < 0.001
    rng = generator(5)
    x = rng.normal(size=(100, 400))
    for _ in range(10):
        x = ReLU()(Linear(400, 400, rng=rng, dtype=np.float64)(x))
    assert 0.5 < np.mean(x**2) < 2  # with a variance of 1 / fan_in it would be 0.001


def test_the_same_generator_draws_the_same_network_and_biases_are_zero():
    first, second, other = (Conv2d(2, 3, 3, rng=generator(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.weight.value, second.weight.value)
    assert not np.array_equal(first.weight.value, other.weight.value)
    assert first.weight.value.dtype == first.bias.value.dtype == np.float32
    assert first.bias.value.tolist() == [0, 0, 0]


# --- the loss ---


def test_loss_of_large_logits_stays_finite():
    loss, d_logits = softmax_cross_entropy(np.array([[1000.0, 0.0], [-1000.0, 1000.0]]), [1, 1])
    assert loss == 500
    assert d_logits.tolist() == [[0.5, -0.5], [0, 0]]


def test_loss_leaves_the_logits_as_they_are():
    logits = images(3, 4)
    before = logits.copy()
    softmax_cross_entropy(logits, [0, 1, 2])
    np.testing.assert_array_equal(logits, before)


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (np.ones((2, 3)), [0, 3], "labels must lie from 0 to 2, one of 3 classes, got 0 to 3"),
        (np.ones((2, 3)), [-1, 0], "labels must lie from 0 to 2, .* got -1 to 0"),
        (np.ones((2, 3)), [0], r"labels must be 2 whole numbers, .* got int64 of shape \(1,\)"),
        (np.ones((2, 3)), [0.0, 1.0], "labels must be 2 whole numbers, .* got float64"),
        (np.ones((2, 3)), np.eye(2, 3, dtype=int), r"labels must be 2 whole numbers, .* of shape \(2, 3\)"),
        (np.ones(3), [0], r"logits must have shape \(N, K\) .* got \(3,\)"),
        (np.ones((0, 3)), [], r"no axis empty, got \(0, 3\)"),
    ],
)
def test_impossible_labels_are_refused(logits, labels, message):
    with pytest.raises(ValueError, match=message):
        softmax_cross_entropy(logits, labels)


# --- the optimizers ---


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda parameters: SGD(parameters, 0.1), lambda leaves: torch.optim.SGD(leaves, 0.1, momentum=0.9)),
        (lambda parameters: SGD(parameters, 0.1, momentum=0), lambda leaves: torch.optim.SGD(leaves, 0.1)),
        (lambda parameters: Adam(parameters), lambda leaves: torch.optim.Adam(leaves)),
        (lambda parameters: Adam(parameters, 0.05), lambda leaves: torch.optim.Adam(leaves, 0.05)),
    ],
    ids=["SGD", "SGD without momentum", "Adam", "Adam with larger steps"],
)
def test_optimizer_walks_as_torchs(ours, theirs):
    values = [images(3, 2), images(4)]
    parameters, leaves = [Parameter(value.copy()) for value in values], [torch.tensor(value, requires_grad=True) for value in values]
    optimizer, twin = ours(parameters), theirs(leaves)
    for _ in range(5):
        for parameter, leaf in zip(parameters, leaves, strict=True):
            parameter.gradient = parameter.value**3 - 1
            leaf.grad = leaf.detach() ** 3 - 1
        optimizer.step()
        twin.step()
    for parameter, leaf in zip(parameters, leaves, strict=True):
        np.testing.assert_allclose(parameter.value, leaf.detach(), rtol=1e-7)


@pytest.mark.parametrize("optimizer", [SGD, Adam])
def test_optimizer_keeps_float32(optimizer):
    parameter = Parameter(np.ones(3, np.float32))
    parameter.gradient = np.ones(3)
    optimizer([parameter], 0.1).step()
    assert parameter.value.dtype == np.float32
    np.testing.assert_allclose(parameter.value, 0.9, rtol=1e-5)


# --- all together ---


def test_a_small_network_learns_mnist():
    (x, labels), (test_x, test_labels) = (load_mnist(split) for split in ("train", "test"))
    x, test_x = (part[:, None].astype(np.float32) / 255 for part in (x[:10000], test_x[:2000]))
    rng = generator(0)
    network = Sequential(
        Conv2d(1, 8, 5, stride=2, rng=rng), ReLU(), Conv2d(8, 16, 3, stride=2, rng=rng), ReLU(), Flatten(), Linear(400, 10, rng=rng)
    )
    optimizer = Adam(network.parameters(), 0.003)
    for start in range(0, len(x), 50):
        batch = slice(start, start + 50)
        network.backward(softmax_cross_entropy(network(x[batch]), labels[:10000][batch])[1])
        optimizer.step()
    assert np.mean(network(test_x).argmax(axis=1) == test_labels[:2000]) > 0.9


def test_example_in_the_docstring():
    result = doctest.testmod(layers)
    assert result.attempted > 0
    assert result.failed == 0


def test_no_torch_and_no_matplotlib_is_loaded():
    code = "import sys, course_lib.layers; print([name for name in ('torch', 'matplotlib', 'scipy') if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True).stdout
    assert found == "[]\n"
