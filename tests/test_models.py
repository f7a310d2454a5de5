"""The networks against torch's own counts and shapes, and `trace` against the arithmetic of single layers."""

import doctest

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import course_lib.models
from course_lib.arithmetic import conv_macs
from course_lib.models import MLP, CifarCNN, DepthwiseSeparable, LeNet5, MnistCNN, ResidualBlock, SimpleCNN, trace

GRAY, COLOR = (1, 28, 28), (3, 32, 32)
NETWORKS = [
    pytest.param(MLP, GRAY, 203_530, id="MLP"),
    pytest.param(LeNet5, GRAY, 61_706, id="LeNet5"),
    pytest.param(lambda: LeNet5(nn.Tanh, nn.AvgPool2d), GRAY, 61_706, id="LeNet5 as in 1998"),
    pytest.param(MnistCNN, GRAY, 34_826, id="MnistCNN"),
    pytest.param(CifarCNN, COLOR, 60_362, id="CifarCNN"),
    pytest.param(SimpleCNN, COLOR, 94_538, id="SimpleCNN"),
]


def counted(model):
    return sum(parameter.numel() for parameter in model.parameters())


def shapes(found, *kinds):
    return [layer.output_shape for layer in found.layers if layer.kind in kinds]


# --- the networks ---


@pytest.mark.parametrize(("network", "shape", "parameters"), NETWORKS)
def test_parameters_and_scores(network, shape, parameters):
    model = network()
    assert counted(model) == parameters
    assert model(torch.rand(3, *shape)).shape == (3, 10)


@pytest.mark.parametrize(("network", "shape", "parameters"), NETWORKS)
def test_every_parameter_learns(network, shape, parameters):
    torch.manual_seed(0)
    model = network()
    F.cross_entropy(model(torch.rand(8, *shape)), torch.arange(8)).backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in model.parameters())


def test_lenet5_shapes():
    found = trace(LeNet5(), GRAY)
    assert shapes(found, "Conv2d", "MaxPool2d") == [(6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 5, 5)]
    assert shapes(found, "Flatten", "Linear") == [(400,), (120,), (84,), (10,)]
    assert [layer.parameters for layer in found.layers if layer.parameters] == [156, 2_416, 48_120, 10_164, 850]


def test_lenet5_of_1998_has_its_activation_and_its_pooling():
    kinds = [layer.kind for layer in trace(LeNet5(nn.Tanh, nn.AvgPool2d), GRAY).layers]
    assert (kinds.count("Tanh"), kinds.count("AvgPool2d")) == (4, 2)
    assert not {"ReLU", "MaxPool2d"} & set(kinds)


def test_mnist_cnn_shapes():
    found = trace(MnistCNN(), GRAY)
    assert shapes(found, "Conv2d", "MaxPool2d", "Flatten") == [(32, 26, 26), (32, 13, 13), (64, 11, 11), (64, 5, 5), (1600,)]
    assert [layer.parameters for layer in found.layers if layer.parameters] == [320, 18_496, 16_010]


def test_cifar_cnn_takes_no_other_size():
    with pytest.raises(RuntimeError, match="2x200704 and 4096x10"):
        CifarCNN()(torch.zeros(2, 3, 224, 224))


def test_simple_cnn_takes_other_sizes_with_the_same_parameters():
    found = trace(SimpleCNN(), COLOR)
    assert shapes(found, "MaxPool2d") == [(32, 16, 16), (64, 8, 8), (128, 4, 4)]
    assert trace(SimpleCNN(), (3, 50, 8)).parameters == found.parameters == 94_538


def test_simple_cnn_ends_with_the_mean_of_each_map():
    torch.manual_seed(0)
    model, x = SimpleCNN(), torch.rand(2, *COLOR)
    torch.testing.assert_close(model(x), model.classifier[-1](model.features(x).mean(dim=(2, 3))))


def test_residual_block_adds_its_input():
    torch.manual_seed(0)
    block, x = ResidualBlock(4), torch.randn(2, 4, 5, 7)
    inner = F.relu(F.conv2d(x, block.conv1.weight, block.conv1.bias, padding=1))
    inner = F.conv2d(inner, block.conv2.weight, block.conv2.bias, padding=1)
    torch.testing.assert_close(block(x), F.relu(x + inner))


def test_residual_block_parameters():
    assert counted(ResidualBlock(64)) == 73_856


def test_residual_block_that_adds_nothing_is_a_relu():
    block, x = ResidualBlock(3), torch.randn(1, 3, 4, 6)
    for parameter in block.conv2.parameters():
        nn.init.zeros_(parameter)
    torch.testing.assert_close(block(x), F.relu(x))


@pytest.mark.parametrize(("stride", "padding"), [(1, 1), (2, 0), ((1, 2), (0, 3))])
def test_depthwise_separable_has_the_shape_of_the_convolution_it_replaces(stride, padding):
    x = torch.randn(2, 4, 9, 12)
    assert DepthwiseSeparable(4, 6, 3, stride, padding)(x).shape == nn.Conv2d(4, 6, 3, stride, padding)(x).shape


def test_depthwise_separable_is_a_convolution_whose_kernels_are_products():
    torch.manual_seed(0)
    block, x = DepthwiseSeparable(4, 6, 3, bias=False), torch.randn(2, 4, 7, 9)
    whole = block.pointwise.weight * block.depthwise.weight[None, :, 0]  # (6, 4, 3, 3)
    torch.testing.assert_close(block(x), F.conv2d(x, whole), rtol=1e-4, atol=1e-5)


def test_depthwise_separable_parameters():
    assert counted(DepthwiseSeparable(32, 64, 3, bias=False)) == 2_336
    assert counted(DepthwiseSeparable(32, 64, 3)) == 2_336 + 32 + 64


# --- trace ---


@pytest.mark.parametrize(("network", "shape", "parameters"), NETWORKS)
def test_trace_finds_every_parameter(network, shape, parameters):
    assert trace(network(), shape).parameters == parameters


def test_trace_macs():
    assert trace(LeNet5(), GRAY).macs == 117_600 + 240_000 + 48_000 + 10_080 + 840
    assert trace(SimpleCNN(), COLOR).macs == 10_323_200


@pytest.mark.parametrize(("stride", "dilation", "groups", "bias"), [(1, 1, 1, True), (2, 1, 2, True), ((2, 3), (1, 2), 4, False)])
def test_macs_of_a_convolution(stride, dilation, groups, bias):
    layer = nn.Conv2d(4, 8, (3, 2), stride, dilation=dilation, groups=groups, bias=bias)
    found = trace(layer, (4, 11, 14))
    rows, columns = layer(torch.zeros(1, 4, 11, 14)).shape[2:]
    assert found.macs == conv_macs(4, 8, 3, 2, rows, columns, groups=groups)


def test_a_transposed_convolution_costs_what_its_convolution_costs():
    down = trace(nn.Conv2d(3, 5, 4, stride=2, padding=1), (3, 10, 14))
    up = trace(nn.ConvTranspose2d(5, 3, 4, stride=2, padding=1), down.layers[0].output_shape)
    assert up.layers[0].output_shape == (3, 10, 14)
    assert up.macs == down.macs


def test_a_linear_layer_works_on_every_row():
    assert trace(nn.Linear(6, 4), (5, 6)).macs == 5 * 6 * 4


def test_a_shared_layer_is_listed_at_each_call_and_counted_once():
    layer = nn.Conv2d(2, 2, 3, padding=1)
    found = trace(nn.Sequential(layer, nn.ReLU(), layer), (2, 5, 7))
    assert [row.parameters for row in found.layers] == [38, 0, 0]
    assert [row.macs for row in found.layers] == [36 * 35, 0, 36 * 35]


class Scaled(nn.Module):
    """A parameter of its own beside a layer that is called, and one that is not."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))
        self.inner, self.unused = nn.Conv2d(3, 3, 1), nn.Linear(4, 2)

    def forward(self, x):
        return self.inner(x) * self.scale[:, None, None]


def test_parameters_outside_layers_are_counted_too():
    found = trace(Scaled(), (3, 4, 5))
    assert [(row.name, row.kind, row.parameters) for row in found.layers] == [
        ("inner", "Conv2d", 12),
        ("(itself)", "Scaled", 3),
        ("(elsewhere)", "", 10),
    ]
    assert found.parameters == counted(Scaled())


def test_a_layer_that_gives_several_things_is_listed_with_the_first():
    assert trace(nn.LSTM(6, 4, batch_first=True), (7, 6)).layers[0].output_shape == (7, 4)


def test_trace_leaves_the_network_as_it_was():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.5)).train()
    model[2].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    trace(model, (1, 5, 6))
    assert [module.training for module in model] == [True, True, False]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_failed_trace_leaves_the_network_as_it_was():
    model = CifarCNN().train()
    with pytest.raises(RuntimeError, match="4096x10"):
        trace(model, (3, 224, 224))
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())


def test_trace_takes_a_network_of_doubles():
    assert trace(LeNet5().double(), GRAY).parameters == 61_706


def test_trace_as_text():
    assert str(trace(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten()), (3, 20, 30))).splitlines() == [
        "Sequential on one image of 3×20×30",
        "layer  kind     output   parameters    MACs",
        "0      Conv2d   4×18×28         112  54,432",
        "1      Flatten  2016              0       0",
        "total                           112  54,432",
    ]


def test_trace_as_a_table():
    odd = type("<b>", (nn.ReLU,), {})
    table = trace(nn.Sequential(nn.Linear(3, 2), odd()), (3,))._repr_html_()
    assert table.count("<tr>") == table.count("</tr>") == 4
    assert table.count('scope="col"') == 5
    assert "&lt;b&gt;" in table
    assert "<b>" not in table


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 1, 28, 28), r"without the batch axis, got \(2, 1, 28, 28\)"),
        ((), r"without the batch axis, got \(\)"),
        (28, "without the batch axis, got 28"),
        ((1, 28, 28.0), r"input_shape\[2\] must be a whole number, got 28.0"),
        ((1, 0, 28), r"input_shape\[1\] must be at least 1, got 0"),
    ],
)
def test_trace_says_what_it_wants(shape, message):
    with pytest.raises(ValueError, match=message):
        trace(LeNet5(), shape)


def test_trace_wants_a_network_not_its_class():
    with pytest.raises(ValueError, match=r"such as LeNet5\(\), got <class"):
        trace(LeNet5, GRAY)


def test_the_example_in_the_docstring():
    result = doctest.testmod(course_lib.models)
    assert result.attempted > 0
    assert result.failed == 0
