"""The numbers in lesson 8."""

import torch
import torch.nn.functional as F
from lessons import Lesson
from torchvision import models

from . import Statements

LESSON = Statements("08_beyond")


# ------------------------------------------------------------------------------------------------ other means to the results


def build(name, **options):
    with torch.device("meta"):
        return models.get_model(name, weights=None, **options)


def count(*modules):
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


def convolutions(network):
    return [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)]


def millions(number):
    return f"{number / 1e6:.1f}"


# ------------------------------------------------------------------------------------------------ settings of the text

LESSON.given("1000 units", "16×16", "ViT-B/16", "768 filters", "1000 filters", "ResNet-50", "Top-5", "2,000", "gives 64 numbers")
LESSON.given("axis of 7 pixels", "A 7×7", "kernel of 3 with", "dilations 1, 2, 4 and 8", "Four 3×3 layers", "3×3 blur")
LESSON.given(
    "2 for attention",
    "3 for both",
    "2 for errors",
    "fewer than 50",
    "more than 100",
    "of 100 ImageNet images",
    "H_in = 7",
    "1-D and 3-D",
    "windows of 3×3",
    "filters of 3×3",
)
LESSON.given("512 maps of 7×7 to 4,096 units", "(2) the right", "(3) evidence", '(2) "A', "(3) `sum", "(2) is", "(3) can")

# ------------------------------------------------------------------------------------------------ published texts

LESSON.given("*150 million*", "The 150 million belong", "= 4 billion multiply-add operations", "K=3, P=1, S=2 → H_out = H_in / 2")
LESSON.given(
    "Only 9 parameters per channel vs 150 million!", "with 64 outputs: … 9,633,792 parameters", "filters of 3x3: … 1,792 parameters"
)
LESSON.given(
    "50-100+ conv layers", "A 3×3 kernel has 9 parameters regardless of image size.", "| 15.3% |", "| 7.3% |", "| 6.7% |", "| 3.6% |"
)
LESSON.given("38.5 million parameters")

# ------------------------------------------------------------------------------------------------ results

LESSON.states("plan", "{} are checked at once and {}", *(Lesson(LESSON.folder).points(kind) for kind in ("code", "markdown")))

_APART = sorted({module.kernel_size for module in convolutions(build("inception_v3", init_weights=False)) if 7 in module.kernel_size})
LESSON.states("family", "{}×{}, then {}×{} kernels", *_APART[0], *_APART[1])
_IGNORED = F.conv1d(torch.zeros(1, 1, 7), torch.zeros(1, 1, 3)).shape[-1]
LESSON.states("family", "leaves dilation out and gives {}", _IGNORED)

_VGG, _GOOGLENET, _RESNET_152 = build("vgg16"), build("googlenet", init_weights=False), build("resnet152")
LESSON.states("networks-reading", "VGG16 has {} million", millions(count(_VGG)))
LESSON.states("networks-reading", "{} million of them sit in its dense layers", millions(count(_VGG.classifier)))
LESSON.states("networks-reading", "fewer errors with {} million", millions(count(build("resnet50"))))
LESSON.states("networks-reading", "EfficientNet-B0 with {}", millions(count(build("efficientnet_b0"))))
LESSON.states("networks-reading", "GoogLeNet's {} million", millions(count(_GOOGLENET)))
LESSON.states("networks-reading", "side classifiers, {} million", millions(count(_GOOGLENET.aux1, _GOOGLENET.aux2)))
_BLOCKS = sum(len(getattr(_RESNET_152, f"layer{n}")) for n in (1, 2, 3, 4))
_SHORTCUTS = sum("downsample" in name for name, module in _RESNET_152.named_modules() if isinstance(module, torch.nn.Conv2d))
LESSON.states("networks-reading", "ResNet-{} has", 1 + 3 * _BLOCKS + 1)
LESSON.states("networks-reading", "1 + {} × 3 + 1", _BLOCKS)
LESSON.states("networks-reading", "finds {} convolutions", 1 + 3 * _BLOCKS + _SHORTCUTS)
_DEPTHWISE = next(module for module in convolutions(build("convnext_tiny")) if module.groups > 1)
LESSON.states("networks-reading", "{}×{} depthwise kernels", *_DEPTHWISE.kernel_size)

LESSON.states("hunt", "(b) {} is what another filter gives", sum((4, 5, 6)))  # the middle row
LESSON.states("hunt", "is it {}?", sum((2, 5, 8)))  # the middle column

_FILTER = torch.nn.Conv2d(3, 1, 3)
LESSON.states("think-8-b", '"A 3×3 kernel has {} parameters', torch.nn.Conv2d(1, 1, 3).weight.numel())
LESSON.states("think-8-b", "But {} holds", torch.nn.Conv2d(1, 1, 3).weight.numel())
LESSON.states("think-8-b", "has {} weights for each input channel", _FILTER.weight[0, 0].numel())
LESSON.states("think-8-b", "on a color image {} parameters", count(_FILTER))
LESSON.states("think-8-b", "prints {}.", count(_FILTER))
