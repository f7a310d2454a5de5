"""Lesson 8: its model answers pass, its demonstrations show what it says, and the published sentences are as wrong as it claims."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from IPython.core.interactiveshell import InteractiveShell
from lessons import Lesson, LessonTests
from torchvision import models

from course_lib.checks import EXERCISES, check
from course_lib.data import load_photo

LESSON = Lesson("08_beyond")


class TestTheLesson(LessonTests):
    lesson = LESSON


def printed(cell):
    return LESSON.results[cell][0]


def build(name, **options):
    with torch.device("meta"):
        return models.get_model(name, weights=None, **options)


def convolutions(network):
    return [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)]


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


# ------------------------------------------------------------------------------------------------ 1 and 2


def test_dense_layer_of_two_pages():
    assert printed("dense-run") == "150,528,000 weights and 1,000 biases\n"


def test_offsets_make_ordinary_and_dilated_convolutions():
    assert printed("deformable-run").split() == ["no", "offsets:", "True", "one", "step", "out:", "True"]


@pytest.mark.parametrize(("dilations", "field"), [((1, 1, 1), 7), ((1, 2, 4), 15)])
def test_figure_of_stacks_shows_what_reaches_one_output(dilations, field):
    signal = torch.zeros(1, 1, 33, requires_grad=True)
    out = signal
    for dilation in dilations:
        out = F.conv1d(out, torch.ones(1, 1, 3), padding=dilation, dilation=dilation)
    out[0, 0, 16].backward()
    assert int((signal.grad != 0).sum()) == field
    titles = [ax.get_title() for ax in LESSON.results["dilated-stack-figure"][1].figure.axes]
    assert any(title.endswith(f"sees {field} inputs") for title in titles)


def test_inception_v3_takes_7x7_apart():
    sizes = {module.kernel_size for module in convolutions(build("inception_v3", init_weights=False))}
    assert {(1, 7), (7, 1)} <= sizes
    assert (7, 7) not in sizes


def test_other_ways_to_slide_by_torch():
    size = F.conv1d(torch.zeros(1, 1, 7), torch.zeros(1, 1, 3), dilation=2).shape[-1]
    layers = [torch.nn.Conv2d(1, 1, 3, dilation=dilation, bias=False) for dilation in (1, 2, 4, 8)]
    field = 40 - torch.nn.Sequential(*layers)(torch.zeros(1, 1, 40, 40)).shape[-1] + 1
    apart = torch.nn.Conv2d(1, 1, (7, 1), bias=False), torch.nn.Conv2d(1, 1, (1, 7), bias=False)
    assert check("L8.1", [size, field, sum(map(count, layers)), sum(map(count, apart))]).passed


# ------------------------------------------------------------------------------------------------ 3: patches


def test_without_a_guard_two_wrong_images_give_a_result():
    lines = {line[:10].strip(): line[10:].split("  ") for line in printed("guards-run").splitlines()[1:]}
    told = {name: [part.strip() for part in parts if part.strip()] for name, parts in lines.items()}
    assert told == {
        "whole": ["a result, (196, 768)"] * 2,
        "222 wide": ["ValueError", "AssertionError"],
        "14 high": ["a result, (14, 672)", "AssertionError"],
        "gray": ["a result, (196, 256)", "ValueError"],
    }


def test_an_answer_by_reshape_refuses_all_three():
    photo = load_photo(color=True)[:448, 32:480][::2, ::2]
    for image in (photo[:, :-2], photo[:14], photo[:, :, 0]):
        with pytest.raises(ValueError, match=r"reshape|unpack"):
            EXERCISES["image_to_patches"].reference(image, 16)


def test_patches_times_matrix_is_a_convolution():
    first, second, third, fourth = printed("embedding-run").splitlines()
    assert first == "maps (1, 32, 14, 14) patches (196, 32)"
    assert float(second.split()[-1]) < 1e-13
    photo = load_photo(color=True)[:448, 32:480][::2, ::2]
    assert third.split(":")[1].split() == [str(value) for value in photo[0, :2].ravel()]
    assert fourth.split(":")[1].split() == [str(value) for value in photo[0, :6, 0]]  # all red ones


def test_first_layer_of_a_vision_transformer():
    network = build("vit_b_16")
    (only,) = convolutions(network)
    assert only.stride == only.kernel_size == (16, 16)
    maps = torch.nn.Conv2d(3, 8, 16, stride=16)(torch.zeros(1, 3, 224, 224))
    patches = maps.shape[2] * maps.shape[3]
    assert check("L8.2", [patches, only.weight[0].numel(), count(only), patches**2]).passed


# ------------------------------------------------------------------------------------------------ 4: attention


def test_attention_differs_from_image_to_image_and_convolution_does_not():
    picture = LESSON.results["attention-figure"][1]
    maps = [ax.images[0].get_array() for ax in picture.figure.axes if ax.images and ax.images[0].get_array().shape == (16, 16)]
    convolution, first, second = maps
    assert np.abs(first - second).max() > 0.1
    np.testing.assert_allclose(first.sum(axis=1), 1)
    row, column = np.divmod(np.arange(16), 4)
    far = np.maximum(np.abs(row[:, None] - row), np.abs(column[:, None] - column)) > 1
    assert (convolution[far] == 0).all()
    assert (first > 0).all()


def test_only_attention_does_not_notice_a_shuffle():
    assert printed("shuffle-run") == "attention:   the same, shuffled\nconvolution: something else\n"


def test_attention_needs_no_more_parameters_for_more_places_and_four_times_the_weights_for_twice_as_many():
    layer = torch.nn.MultiheadAttention(8, 1, batch_first=True)
    weights = [layer(x, x, x)[1].numel() for x in (torch.randn(1, places, 8) for places in (5, 10))]
    assert weights == [25, 100]


# ------------------------------------------------------------------------------------------------ 5: networks


def test_table_of_networks():
    rows = {line.split()[0]: line.split() for line in printed("networks-run").splitlines()[1:]}
    assert {name: int(row[2]) for name, row in rows.items()} == {
        "alexnet": 5, "vgg16": 13, "googlenet": 59, "resnet18": 20, "resnet50": 53, "resnet152": 155, "efficientnet_b0": 81,
        "vit_b_16": 1, "swin_t": 1, "convnext_tiny": 22,
    }  # fmt: skip
    parameters = {name: float(row[3]) for name, row in rows.items()}
    assert [parameters[name] for name in ("vgg16", "resnet50", "googlenet", "efficientnet_b0")] == [138.4, 25.6, 13.0, 5.3]
    errors = {name: float(row[5]) for name, row in rows.items()}
    assert errors["efficientnet_b0"] < errors["resnet50"] < errors["vgg16"] < errors["alexnet"]
    assert errors["alexnet"] > 15.3  # a single network errs more often than the published ensemble
    assert errors["resnet152"] > 3.6


def test_names_and_kinds_in_the_figure():
    networks = LESSON.results["networks-figure"][1]
    assert "vit_b_16" in networks.alt
    marks = [line.get_label() for line in networks.figure.axes[0].lines]
    assert marks == ["built of convolutions", "built of attention"]
    assert [len(line.get_xdata()) for line in networks.figure.axes[0].lines] == [8, 2]


def test_four_shortcuts_of_resnet_152_are_convolutions():
    network = build("resnet152")
    assert sum("downsample" in name for name, module in network.named_modules() if isinstance(module, torch.nn.Conv2d)) == 4
    assert len(convolutions(network)) - 4 + 1 == 152  # with the dense layer


def test_convnext_is_depthwise_with_7x7_kernels():
    depthwise = [module for module in convolutions(build("convnext_tiny")) if module.groups > 1]
    assert {module.kernel_size for module in depthwise} == {(7, 7)}
    assert all(module.groups == module.in_channels for module in depthwise)


def test_resnet_50_multiply_adds():
    assert printed("macs-run") == "4.089 billion multiply-adds\n"
    published = models.ResNet50_Weights.IMAGENET1K_V1.meta["_ops"]
    assert published == 4.089
    assert check("L8.4", [2, 96_400, 2 * published]).passed


# ------------------------------------------------------------------------------------------------ 6: the hunt


def test_published_dot_product():
    patch, cross = torch.arange(1.0, 10).reshape(3, 3), torch.tensor([[1.0, 0, 1], [0, 1, 0], [1, 0, 1]])
    dot = F.conv2d(patch[None, None], cross[None, None]).item()
    lines = [torch.eye(3), torch.eye(3).flip(0)]
    for n in range(3):
        row = torch.zeros(3, 3)
        row[n] = 1
        lines += [row, row.T]
    fitting = sum((line * patch).sum().item() == 15 for line in lines)
    halved = F.conv1d(torch.zeros(1, 1, 7), torch.zeros(1, 1, 3), padding=1, stride=2).shape[-1]
    arrows = torch.autograd.functional.jacobian(lambda x: F.conv1d(x[None, None], torch.ones(1, 1, 3))[0, 0], torch.zeros(5))
    assert check("L8.5", [dot, fitting, halved, int((arrows != 0).sum())]).passed


def test_what_is_compared_with_what():
    maps = torch.nn.Conv2d(3, 64, 3, device="meta")(torch.zeros(1, 3, 224, 224, device="meta"))
    units = next(n for n in itertools.count(6000) if n * 224 * 224 * 3 >= 10**9)
    filters = count(torch.nn.Conv2d(3, 1000, 3))
    assert check("L8.6", [filters, maps.numel(), units, count(build("vgg16").classifier[0])]).passed


def test_printed_numbers_of_the_comparison_are_right_in_themselves():
    assert count(torch.nn.Linear(224 * 224 * 3, 64, bias=False, device="meta")) == 9_633_792
    assert count(torch.nn.Conv2d(3, 64, 3)) == 1_792


def test_verdicts_on_words():
    image, kernel = torch.randn(1, 1, 9, 9), torch.randn(1, 1, 3, 3)
    moved = torch.roll(image, (1, 1), (2, 3))
    first, second = (F.conv2d(x, kernel) for x in (image, moved))
    assert torch.allclose(first[..., :-1, :-1], second[..., 1:, 1:], atol=1e-5)  # (a): it moves along
    assert not torch.allclose(first, second)
    assert len(torch.nn.Conv3d(1, 1, 3).weight.shape) == 5  # (b): another layer
    assert len(convolutions(build("resnet18"))) == 20  # (c)
    plain, biased = (lambda x, bias=bias: F.conv2d(x, kernel, bias) for bias in (None, torch.ones(1)))
    assert torch.allclose(plain(2 * image), 2 * plain(image), atol=1e-5)  # (d)
    assert not torch.allclose(biased(2 * image), 2 * biased(image), atol=1e-5)


def test_three_underscores_in_jupyter_are_no_error():
    shell = InteractiveShell()
    result = shell.run_cell("import numpy as np\noutput = np.zeros(3)\nfor i in range(3): ___\n", silent=True)
    assert result.success
    assert (shell.user_ns["output"] == 0).all()
    with pytest.raises(NameError):
        exec("for i in range(3): ___", {})


def test_think_answer_about_a_color_filter():
    assert count(torch.nn.Conv2d(3, 1, 3)) == 28
    assert "prints 28" in LESSON.cells["think-8-b"].source


def test_think_answer_about_padding():
    windows = F.conv_transpose2d(torch.ones(1, 1, 5, 5), torch.ones(1, 1, 3, 3), padding=1)[0, 0]  # with padding 1, onto the image
    assert windows[0, 0] == 4
    assert windows[2, 2] == 9
    assert "lies in four windows of 3×3 and the center in nine" in LESSON.cells["think-8-b"].source


def test_each_of_several_slips_in_one_answer_is_named():
    verdict = check("L8.5", [15, 4, 3, ...])
    assert verdict.earned == 0.75
    assert verdict.misconception == "printed-sum"
    assert "what the page prints" in verdict.sentence
    assert "before 1 is added" in verdict.sentence
    assert "Not done yet: d" in verdict.message


def test_a_slip_is_not_named_when_only_part_of_it_was_made():
    verdict = check("L8.6", [27_000, 3_154_176, 6_644, 102_764_544])  # a bias forgotten in (a), but not in (d)
    assert verdict.misconception is None
    assert verdict.message == "Look again at: a."
