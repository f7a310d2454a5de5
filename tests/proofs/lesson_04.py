"""Lesson 4: wrong answers as students write them in PyTorch, and right ones that nobody expects.

A function's name says what it does. `rejects("slug")` means: wrong, and to be called so. `rejects("slug", None)`: the name would be true,
but what comes out is random or shows in another way, so it may go unnamed. `rejects()`: wrong, and nothing that has a name.
"""

import math

import numpy as np
import scipy.fft
import scipy.signal
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.checks.lesson_04_hand import CALLS, CONVOLVED, CORRELATED

from . import Proof, named, worked_out

LOAD_KERNEL, AGREES, FEATURE_MAPS = (Proof(name) for name in ("load_kernel", "agrees", "feature_maps"))
TRUE_CONVOLUTION, IMAGES_TO_TENSOR, FROM_KERAS = (Proof(name) for name in ("true_convolution", "images_to_tensor", "from_keras"))


def tensor(values):
    return torch.tensor(np.ascontiguousarray(values), dtype=torch.float32)


def loaded(layer, weight, bias=None):
    """The layer with these parameters."""
    with torch.no_grad():
        layer.weight.copy_(torch.as_tensor(weight))
        if bias is not None:
            layer.bias.copy_(torch.as_tensor(bias))
    return layer


# ================================================================================================ load_kernel: right ones


@LOAD_KERNEL.accepts
def weight_replaced_by_a_parameter(kernel, padding=0):
    layer = nn.Conv2d(1, 1, tuple(kernel.shape), padding=padding, bias=False)
    layer.weight = nn.Parameter(tensor(kernel).reshape(1, 1, *kernel.shape))
    return layer


@LOAD_KERNEL.accepts
def through_weight_data(kernel, padding=0):
    layer = nn.Conv2d(in_channels=1, out_channels=1, kernel_size=kernel.shape, padding=(padding, padding), bias=False)
    layer.weight.data = tensor(kernel).unsqueeze(0).unsqueeze(0)
    return layer


@LOAD_KERNEL.accepts
def bias_set_to_zero(kernel, padding=0):
    layer = nn.Conv2d(1, 1, kernel.shape, padding=padding)
    nn.init.zeros_(layer.bias)
    return loaded(layer, tensor(kernel)[None, None])


@LOAD_KERNEL.accepts
def in_double_precision(kernel, padding=0):
    return loaded(nn.Conv2d(1, 1, kernel.shape, padding=padding, bias=False).double(), kernel.copy()[None, None])


@LOAD_KERNEL.accepts
def weight_by_weight(kernel, padding=0):
    layer = nn.Conv2d(1, 1, kernel.shape, padding=padding, bias=False)
    with torch.no_grad():
        for (i, j), value in np.ndenumerate(kernel):
            layer.weight[0, 0, i, j] = float(value)
    return layer


@LOAD_KERNEL.accepts
def by_state_dict(kernel, padding=0):
    layer = nn.Conv2d(1, 1, kernel.shape, padding=padding, bias=False)
    layer.load_state_dict({"weight": tensor(kernel)[None, None]})
    return layer


@LOAD_KERNEL.accepts
def padding_as_a_layer_of_its_own(kernel, padding=0):
    return nn.Sequential(nn.ZeroPad2d(padding), loaded(nn.Conv2d(1, 1, kernel.shape, bias=False), tensor(kernel)[None, None]))


@LOAD_KERNEL.accepts
def broadcast_into_the_weights(kernel, padding=0):
    return loaded(nn.Conv2d(1, 1, kernel.shape, padding=padding, bias=False), tensor(kernel))


@LOAD_KERNEL.accepts
def module_of_ones_own(kernel, padding=0):
    class Fixed(nn.Module):
        def forward(self, x):
            return F.conv2d(x, tensor(kernel)[None, None], padding=padding)

    return Fixed()


@LOAD_KERNEL.accepts
def frozen_weights(kernel, padding=0):
    return loaded(nn.Conv2d(1, 1, kernel.shape, padding=padding, bias=False).requires_grad_(False), tensor(kernel)[None, None])


# ================================================================================================ load_kernel: wrong ones


@LOAD_KERNEL.rejects("bias-left-on")
def a_new_layers_own_bias(kernel, padding=0):
    return loaded(nn.Conv2d(1, 1, kernel.shape, padding=padding), tensor(kernel)[None, None])


@LOAD_KERNEL.rejects("bias-left-on")
def bias_of_one(kernel, padding=0):
    return loaded(nn.Conv2d(1, 1, kernel.shape, padding=padding), tensor(kernel)[None, None], bias=[1.0])


@LOAD_KERNEL.rejects("kernel-not-loaded")
def kernel_copied_into_a_copy(kernel, padding=0):
    layer = nn.Conv2d(1, 1, kernel.shape, padding=padding, bias=False)
    layer.weight.detach().clone().copy_(tensor(kernel)[None, None])
    return layer


@LOAD_KERNEL.rejects("kernel-not-loaded")
def kernel_given_to_another_name(kernel, padding=0):
    layer = nn.Conv2d(1, 1, kernel.shape, padding=padding, bias=False)
    layer.weights = tensor(kernel)[None, None]
    return layer


@LOAD_KERNEL.rejects("no-grad-forgotten")
def not_inside_no_grad(kernel, padding=0):
    layer = nn.Conv2d(1, 1, kernel.shape, padding=padding, bias=False)
    layer.weight.copy_(tensor(kernel)[None, None])
    return layer


@LOAD_KERNEL.rejects("tensor-assigned")
def tensor_assigned_as_weight(kernel, padding=0):
    layer = nn.Conv2d(1, 1, kernel.shape, padding=padding, bias=False)
    layer.weight = tensor(kernel)[None, None]
    return layer


@LOAD_KERNEL.rejects("output-returned")
def weights_returned(kernel, padding=0):
    return tensor(kernel)[None, None]


@LOAD_KERNEL.rejects("output-returned")
def output_for_some_image_returned(kernel, padding=0):
    return F.conv2d(torch.ones(1, 1, 9, 9), tensor(kernel)[None, None], padding=padding)


@LOAD_KERNEL.rejects("output-returned")
def function_returned(kernel, padding=0):
    return lambda x: F.conv2d(x, tensor(kernel)[None, None], padding=padding)


@LOAD_KERNEL.rejects("padding-as-stride")
def padding_in_the_place_of_stride(kernel, padding=0):
    return loaded(nn.Conv2d(1, 1, kernel.shape, padding, bias=False), tensor(kernel)[None, None])


@LOAD_KERNEL.rejects("padding-always-1")
def padding_of_the_example(kernel, padding=0):
    return loaded(nn.Conv2d(1, 1, kernel.shape, padding=1, bias=False), tensor(kernel)[None, None])


@LOAD_KERNEL.rejects()
def same_padding(kernel, padding=0):
    return loaded(nn.Conv2d(1, 1, kernel.shape, padding="same", bias=False), tensor(kernel)[None, None])


@LOAD_KERNEL.rejects()
def padding_by_repeating_the_edge(kernel, padding=0):
    return loaded(nn.Conv2d(1, 1, kernel.shape, padding=padding, padding_mode="replicate", bias=False), tensor(kernel)[None, None])


@LOAD_KERNEL.rejects("always-3x3")
def three_typed(kernel, padding=0):
    return loaded(nn.Conv2d(1, 1, 3, padding=padding, bias=False), torch.tensor(kernel))


@LOAD_KERNEL.rejects("always-square")
def first_side_only(kernel, padding=0):
    return loaded(nn.Conv2d(1, 1, kernel.shape[0], padding=padding, bias=False), torch.tensor(kernel))


@LOAD_KERNEL.rejects(None)
def second_side_only(kernel, padding=0):
    return loaded(nn.Conv2d(1, 1, kernel.shape[1], padding=padding, bias=False), tensor(kernel))


@LOAD_KERNEL.rejects("kernel-flipped")
def flipped_in_torch(kernel, padding=0):
    return loaded(nn.Conv2d(1, 1, kernel.shape, padding=padding, bias=False), tensor(kernel).flip(0, 1)[None, None])


@LOAD_KERNEL.rejects("kernel-transposed")
def transposed_and_reshaped(kernel, padding=0):
    return loaded(nn.Conv2d(1, 1, kernel.shape, padding=padding, bias=False), tensor(kernel.T).reshape(1, 1, *kernel.shape))


@LOAD_KERNEL.rejects("decimals-cut-off")
def integer_tensor(kernel, padding=0):
    return loaded(nn.Conv2d(1, 1, kernel.shape, padding=padding, bias=False), tensor(kernel).int()[None, None])


@LOAD_KERNEL.rejects()
def two_filters(kernel, padding=0):
    return loaded(nn.Conv2d(1, 2, kernel.shape, padding=padding, bias=False), tensor(kernel))


@LOAD_KERNEL.rejects()
def image_of_three_channels(kernel, padding=0):
    return loaded(nn.Conv2d(3, 1, kernel.shape, padding=padding, bias=False), tensor(kernel))


@LOAD_KERNEL.rejects()
def kernel_divided_by_its_sum(kernel, padding=0):
    return loaded(nn.Conv2d(1, 1, kernel.shape, padding=padding, bias=False), tensor(kernel / (abs(kernel).sum() + 1))[None, None])


@LOAD_KERNEL.rejects("no-return")
def nothing_returned(kernel, padding=0):
    loaded(nn.Conv2d(1, 1, kernel.shape, padding=padding, bias=False), tensor(kernel)[None, None])


@LOAD_KERNEL.rejects()
def relu_behind_it(kernel, padding=0):
    return nn.Sequential(loaded(nn.Conv2d(1, 1, kernel.shape, padding=padding, bias=False), tensor(kernel)[None, None]), nn.ReLU())


# ================================================================================================ agrees: right ones


@AGREES.accepts
def three_lines(a, b):
    if a.shape != b.shape:
        return False
    return np.abs(a - b).max() <= 1e-5 * 1 if np.abs(b).max() <= 1 else bool((np.abs(a - b) <= np.maximum(1e-5, 1e-5 * np.abs(b))).all())


@AGREES.accepts
def numpy_bool(a, b):
    return a.shape == b.shape and np.all(np.abs(a - b) <= 1e-5 * np.maximum(1, np.abs(b)))


@AGREES.accepts
def torch_bool(a, b):
    if a.shape != b.shape:
        return torch.tensor(False)
    a, b = torch.tensor(a, dtype=torch.float64), torch.tensor(b, dtype=torch.float64)
    return ((a - b).abs() <= 1e-5 * b.abs().clamp(min=1)).all()


@AGREES.accepts
def one_or_zero(a, b):
    return int(np.shape(a) == np.shape(b) and not (np.abs(np.subtract(a, b)) > 1e-5 * np.maximum(1, np.abs(b))).any())


@AGREES.accepts
def value_by_value(a, b):
    if np.shape(a) != np.shape(b):
        return False
    return all(abs(x - y) <= 1e-5 * max(1.0, abs(y)) for x, y in zip(np.ravel(a).tolist(), np.ravel(b).tolist(), strict=True))


@AGREES.accepts
def math_isclose_both_ways(a, b):
    return np.shape(a) == np.shape(b) and all(
        math.isclose(x, y, rel_tol=0, abs_tol=max(1e-5, 1e-5 * abs(y))) for x, y in zip(np.ravel(a), np.ravel(b), strict=True)
    )


@AGREES.accepts
def largest_excess(a, b):
    return a.shape == b.shape and float(np.max(np.abs(a - b) / np.maximum(1, np.abs(b)))) <= 1e-5


@AGREES.accepts
def two_comparisons_of_numpy(a, b):
    return a.shape == b.shape and bool((np.isclose(a, b, rtol=0, atol=1e-5) | np.isclose(a, b, rtol=1e-5, atol=0)).all())


@AGREES.accepts
def array_of_no_axes(a, b):
    return np.array(a.shape == b.shape and (np.abs(a - b) <= 1e-5 * np.maximum(1, np.abs(b))).all())


# ================================================================================================ agrees: wrong ones


@AGREES.rejects("exactly-equal")
def array_equal(a, b):
    return np.array_equal(a, b)


@AGREES.rejects("exactly-equal")
def equal_as_lists(a, b):
    return a.tolist() == b.tolist()


@AGREES.rejects(None)
def plain_equality_of_arrays(a, b):
    return a == b


@AGREES.rejects("sign-ignored")
def largest_difference_without_abs(a, b):
    return a.shape == b.shape and bool(((a - b) <= 1e-5 * np.maximum(1, np.abs(b))).all())


@AGREES.rejects(None)
def largest_difference_the_other_way(a, b):
    return a.shape == b.shape and bool(((b - a) <= 1e-5 * np.maximum(1, np.abs(b))).all())


@AGREES.rejects("plain-allclose")
def allclose_as_it_comes(a, b):
    return np.allclose(a, b)


@AGREES.rejects("shapes-not-compared", None)
def no_look_at_the_shapes(a, b):
    return bool((np.abs(a - b) <= 1e-5 * np.maximum(1, np.abs(b))).all())


@AGREES.rejects(None)
def sizes_instead_of_shapes(a, b):
    return a.size == b.size and bool((np.abs(a.ravel() - b.ravel()) <= 1e-5 * np.maximum(1, np.abs(b.ravel()))).all())


@AGREES.rejects(None)
def number_of_axes_instead_of_shapes(a, b):
    return a.ndim == b.ndim and np.allclose(a, b, rtol=1e-5, atol=1e-5)


@AGREES.rejects("only-shapes")
def shapes_only(a, b):
    return a.shape == b.shape


@AGREES.rejects("sums-compared")
def sums(a, b):
    return a.shape == b.shape and bool(abs(a.sum() - b.sum()) <= 1e-5 * max(1, abs(b.sum())))


@AGREES.rejects(None)
def sorted_values(a, b):
    return a.shape == b.shape and np.allclose(np.sort(a.ravel()), np.sort(b.ravel()), rtol=1e-5, atol=1e-5)


@AGREES.rejects("any-instead-of-all")
def any_pair(a, b):
    return a.shape == b.shape and bool((np.abs(a - b) <= 1e-5 * np.maximum(1, np.abs(b))).any())


@AGREES.rejects(None)
def mean_of_differences(a, b):
    return a.shape == b.shape and float(np.abs(a - b).mean()) <= 1e-5


@AGREES.rejects("absolute-limit-only")
def one_limit_for_all(a, b):
    return a.shape == b.shape and float(np.abs(a - b).max()) <= 1e-5


@AGREES.rejects("relative-limit-only")
def relative_to_b(a, b):
    return a.shape == b.shape and np.allclose(a, b, rtol=1e-5, atol=0)


@AGREES.rejects("exactly-equal", None)
def limit_of_the_last_digit(a, b):
    return a.shape == b.shape and bool((np.abs(a - b) <= 1e-9).all())


@AGREES.rejects("limit-without-abs")
def limit_shrinks_where_b_is_negative(a, b):
    return a.shape == b.shape and bool((np.abs(a - b) <= np.maximum(1e-5, 1e-5 * b)).all())


@AGREES.rejects("limit-too-generous")
def one_per_cent(a, b):
    return a.shape == b.shape and bool((np.abs(a - b) <= 0.01 * np.maximum(1, np.abs(b))).all())


@AGREES.rejects("answer-turned-round")
def differs(a, b):
    return a.shape != b.shape or bool((np.abs(a - b) > 1e-5 * np.maximum(1, np.abs(b))).any())


@AGREES.rejects(None)
def difference_returned(a, b):
    return np.abs(a - b)


@AGREES.rejects(None)
def first_value_only(a, b):
    return a.shape == b.shape and bool(abs(a.flat[0] - b.flat[0]) <= 1e-5)


@AGREES.rejects(None)
def always_true(a, b):
    return True


# ================================================================================================ feature_maps: right ones


def of_images(image):
    return tensor(image)[None, None]


def bank(kernels, **options):
    """A layer with one filter for each kernel."""
    return loaded(nn.Conv2d(1, len(kernels), kernels.shape[1:], bias=False, **options), tensor(kernels)[:, None])


@FEATURE_MAPS.accepts
def the_function_instead_of_the_layer(image, kernels, padding=0):
    return F.conv2d(of_images(image), tensor(kernels)[:, None], padding=padding)[0].numpy()


@FEATURE_MAPS.accepts
def one_layer_for_each_kernel(image, kernels, padding=0):
    return [bank(kernel[None], padding=padding)(of_images(image))[0, 0].detach().numpy() for kernel in kernels]


@FEATURE_MAPS.accepts
def squeezed_on_the_batch_axis(image, kernels, padding=0):
    with torch.no_grad():
        return bank(kernels, padding=padding)(of_images(image)).squeeze(0).numpy()


@FEATURE_MAPS.accepts
def unbatched(image, kernels, padding=0):
    return bank(kernels, padding=padding)(tensor(image)[None]).detach().tolist()


@FEATURE_MAPS.accepts
def scipy_for_each_kernel(image, kernels, padding=0):
    padded = np.pad(np.asarray(image, dtype=float), padding)
    return np.stack([scipy.signal.correlate2d(padded, kernel, mode="valid") for kernel in kernels])


@FEATURE_MAPS.accepts
def sliding_windows_and_einsum(image, kernels, padding=0):
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(image.astype(float), padding), kernels.shape[1:])
    return np.asfortranarray(np.einsum("ijuv,nuv->nij", windows, kernels))


@FEATURE_MAPS.accepts
def unfold_and_matrix_product(image, kernels, padding=0):
    x = F.pad(of_images(image), (padding,) * 4)
    height, width = (n - k + 1 for n, k in zip(x.shape[2:], kernels.shape[1:], strict=True))
    columns = F.unfold(x, kernels.shape[1:])[0]
    return (tensor(kernels).reshape(len(kernels), -1) @ columns).reshape(-1, height, width).numpy()


@FEATURE_MAPS.accepts
def by_fourier_transform(image, kernels, padding=0):
    padded = np.pad(image.astype(float), padding)
    return np.stack([scipy.signal.fftconvolve(padded, kernel[::-1, ::-1], mode="valid") for kernel in kernels.astype(float)])


@FEATURE_MAPS.accepts
def kernels_as_a_batch_of_groups(image, kernels, padding=0):
    x = tensor(np.repeat(image[None], len(kernels), axis=0))[None]
    return F.conv2d(x, tensor(kernels)[:, None], padding=padding, groups=len(kernels))[0].numpy()


# ================================================================================================ feature_maps: wrong ones


@FEATURE_MAPS.rejects("bias-left-on")
def random_biases(image, kernels, padding=0):
    layer = nn.Conv2d(1, len(kernels), kernels.shape[1:], padding=padding)
    return loaded(layer, tensor(kernels)[:, None])(of_images(image))[0].detach().numpy()


@FEATURE_MAPS.rejects(None)
def weights_never_loaded(image, kernels, padding=0):
    return nn.Conv2d(1, len(kernels), kernels.shape[1:], padding=padding, bias=False)(of_images(image))[0].detach().numpy()


@FEATURE_MAPS.rejects("one-kernel-for-all")
def first_kernel_copied_into_all(image, kernels, padding=0):
    layer = nn.Conv2d(1, len(kernels), kernels.shape[1:], padding=padding, bias=False)
    return loaded(layer, tensor(kernels[0]))(of_images(image))[0].detach().numpy()


@FEATURE_MAPS.rejects("last-kernel-for-all")
def loop_that_writes_over_all(image, kernels, padding=0):
    layer = nn.Conv2d(1, len(kernels), kernels.shape[1:], padding=padding, bias=False)
    for kernel in kernels:
        loaded(layer, tensor(kernel))
    return layer(of_images(image))[0].detach().numpy()


@FEATURE_MAPS.rejects("batch-axis-left")
def batch_axis_kept(image, kernels, padding=0):
    return bank(kernels, padding=padding)(of_images(image)).detach().numpy()


@FEATURE_MAPS.rejects("squeezed-too-much")
def squeeze_everything(image, kernels, padding=0):
    return bank(kernels, padding=padding)(of_images(image)).squeeze().detach().numpy()


@FEATURE_MAPS.rejects("only-the-first-map")
def first_map(image, kernels, padding=0):
    return bank(kernels, padding=padding)(of_images(image))[0, 0].detach().numpy()


@FEATURE_MAPS.rejects("maps-added-up")
def kernels_as_channels(image, kernels, padding=0):
    x = tensor(np.repeat(image[None], len(kernels), axis=0))[None]
    return F.conv2d(x, tensor(kernels)[None], padding=padding)[0].numpy()


@FEATURE_MAPS.rejects("maps-come-last")
def permuted_for_matplotlib(image, kernels, padding=0):
    return bank(kernels, padding=padding)(of_images(image))[0].permute(1, 2, 0).detach().numpy()


@FEATURE_MAPS.rejects("padding-forgotten")
def padding_not_passed_on(image, kernels, padding=0):
    return bank(kernels)(of_images(image))[0].detach().numpy()


@FEATURE_MAPS.rejects("kernels-flipped")
def scipy_convolves(image, kernels, padding=0):
    padded = np.pad(np.asarray(image, dtype=float), padding)
    return np.stack([scipy.signal.convolve2d(padded, kernel, mode="valid") for kernel in kernels])


@FEATURE_MAPS.rejects("negative-values-lost")
def relu_at_the_end(image, kernels, padding=0):
    return F.relu(bank(kernels, padding=padding)(of_images(image)))[0].detach().numpy()


@FEATURE_MAPS.rejects("divided-by-255")
def image_scaled(image, kernels, padding=0):
    return bank(kernels, padding=padding)(of_images(image / 255))[0].detach().numpy()


@FEATURE_MAPS.rejects("decimals-cut-off")
def integers_throughout(image, kernels, padding=0):
    x, w = of_images(image).long().float(), tensor(kernels).long().float()[:, None]
    return F.conv2d(x, w, padding=padding)[0].numpy()


@FEATURE_MAPS.rejects("tensor-returned")
def tensor_returned_with_its_gradient(image, kernels, padding=0):
    return bank(kernels, padding=padding)(of_images(image))[0]


@FEATURE_MAPS.rejects("tensor-returned")
def tensor_without_gradient_returned(image, kernels, padding=0):
    with torch.no_grad():
        return bank(kernels, padding=padding)(of_images(image)).squeeze(0)


@FEATURE_MAPS.rejects("tensor-returned")
def list_of_tensors_returned(image, kernels, padding=0):
    return list(bank(kernels, padding=padding)(of_images(image))[0])


@FEATURE_MAPS.rejects("no-grad-forgotten")
def copied_while_watched(image, kernels, padding=0):
    layer = nn.Conv2d(1, len(kernels), kernels.shape[1:], padding=padding, bias=False)
    layer.weight.copy_(torch.tensor(kernels)[:, None])
    return layer(of_images(image))[0].detach().numpy()


@FEATURE_MAPS.rejects("tensor-assigned")
def weight_replaced_by_a_tensor(image, kernels, padding=0):
    layer = nn.Conv2d(1, len(kernels), kernels.shape[1:], padding=padding, bias=False)
    with torch.no_grad():
        layer.weight = tensor(kernels)[:, None]
    return layer(of_images(image))[0].detach().numpy()


@FEATURE_MAPS.rejects(None)
def detach_forgotten(image, kernels, padding=0):
    return bank(kernels, padding=padding)(of_images(image))[0].numpy()


@FEATURE_MAPS.rejects("image-not-float32")
def image_left_as_it_is(image, kernels, padding=0):
    return bank(kernels, padding=padding)(torch.tensor(image)[None, None])[0].detach().numpy()


@FEATURE_MAPS.rejects(None)
def array_into_the_layer(image, kernels, padding=0):
    return bank(kernels, padding=padding)(image[None, None])[0].detach().numpy()


@FEATURE_MAPS.rejects(None)
def image_without_axes(image, kernels, padding=0):
    return bank(kernels, padding=padding)(tensor(image))[0].detach().numpy()


@FEATURE_MAPS.rejects(None)
def kernels_transposed(image, kernels, padding=0):
    return bank(kernels.swapaxes(1, 2), padding=padding)(of_images(image))[0].detach().numpy()


@FEATURE_MAPS.rejects(None)
def padding_always_one(image, kernels, padding=0):
    return bank(kernels, padding=1)(of_images(image))[0].detach().numpy()


@FEATURE_MAPS.rejects(None)
def four_filters_always(image, kernels, padding=0):
    layer = nn.Conv2d(1, 4, kernels.shape[1:], padding=padding, bias=False)
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[: len(kernels), 0] = tensor(kernels)
    return layer(of_images(image))[0].detach().numpy()


@FEATURE_MAPS.rejects(None)
def image_and_maps_transposed(image, kernels, padding=0):
    return bank(kernels, padding=padding)(of_images(image.T))[0].detach().numpy()


# ================================================================================================ true_convolution: right ones


@TRUE_CONVOLUTION.accepts
def torch_flip(x, w):
    return F.conv2d(x, torch.flip(w, dims=(-2, -1)))


@TRUE_CONVOLUTION.accepts
def two_quarter_turns(x, w):
    return F.conv2d(x, torch.rot90(w, 2, dims=(2, 3)))


@TRUE_CONVOLUTION.accepts
def flipped_in_numpy(x, w):
    return F.conv2d(x, torch.tensor(w.numpy()[:, :, ::-1, ::-1].copy()))


@TRUE_CONVOLUTION.accepts
def image_flipped_and_result_flipped_back(x, w):
    return F.conv2d(x.flip(2, 3), w).flip(2, 3)


@TRUE_CONVOLUTION.accepts
def scipy_channel_by_channel(x, w):
    return np.array(
        [[sum(scipy.signal.convolve2d(c, k, mode="valid") for c, k in zip(i, f, strict=True)) for f in w.numpy()] for i in x.numpy()]
    )


@TRUE_CONVOLUTION.accepts
def indices_in_reverse(x, w):
    rows, columns = torch.arange(w.shape[2]).flip(0), torch.arange(w.shape[3]).flip(0)
    return F.conv2d(x, w[:, :, rows][:, :, :, columns])


@TRUE_CONVOLUTION.accepts
def transposed_convolution_cropped(x, w):
    full = F.conv_transpose2d(x, w.swapaxes(0, 1))
    height, width = w.shape[2] - 1, w.shape[3] - 1
    return full[..., height : full.shape[2] - height, width : full.shape[3] - width]


@TRUE_CONVOLUTION.accepts
def layer_in_double_precision(x, w):
    layer = nn.Conv2d(w.shape[1], w.shape[0], tuple(w.shape[2:]), bias=False).double()
    return loaded(layer, w.flip(2).flip(3).double())(x.double())


@TRUE_CONVOLUTION.accepts
def windows_and_einsum(x, w):
    windows = np.lib.stride_tricks.sliding_window_view(x.numpy(), tuple(w.shape[2:]), axis=(2, 3))
    return np.einsum("nchwuv,ocuv->nohw", windows, w.numpy()[..., ::-1, ::-1]).tolist()


@TRUE_CONVOLUTION.accepts
def product_of_spectra(x, w):
    size = [a + b - 1 for a, b in zip(x.shape[2:], w.shape[2:], strict=True)]
    spectrum = np.einsum("nchw,ochw->nohw", scipy.fft.fft2(x.numpy(), size), scipy.fft.fft2(w.numpy(), size))
    full = scipy.fft.ifft2(spectrum).real
    return full[..., w.shape[2] - 1 : x.shape[2], w.shape[3] - 1 : x.shape[3]]


# ================================================================================================ true_convolution: wrong ones


@TRUE_CONVOLUTION.rejects("not-flipped")
def plain_conv2d(x, w):
    return F.conv2d(x, w)


@TRUE_CONVOLUTION.rejects("not-flipped")
def flip_whose_result_is_dropped(x, w):
    w.flip(2, 3)
    return F.conv2d(x, w)


@TRUE_CONVOLUTION.rejects("not-flipped")
def flipped_twice(x, w):
    return F.conv2d(x, w.flip(2, 3).flip(2, 3))


@TRUE_CONVOLUTION.rejects("not-flipped")
def both_flipped_and_the_map_too(x, w):
    return F.conv2d(x.flip(2, 3), w.flip(2, 3)).flip(2, 3)


@TRUE_CONVOLUTION.rejects("flipped-up-down-only")
def axis_two_only(x, w):
    return F.conv2d(x, w.flip(2))


@TRUE_CONVOLUTION.rejects("flipped-left-right-only")
def axis_three_only(x, w):
    return F.conv2d(x, torch.fliplr(w.reshape(-1, *w.shape[2:]).permute(1, 2, 0)).permute(2, 0, 1).reshape(w.shape))


@TRUE_CONVOLUTION.rejects("first-axes-flipped")
def flipud_and_fliplr(x, w):
    return F.conv2d(x, torch.fliplr(torch.flipud(w)))


@TRUE_CONVOLUTION.rejects("all-axes-flipped")
def every_axis(x, w):
    return F.conv2d(x, w.flip(0, 1, 2, 3))


@TRUE_CONVOLUTION.rejects(None)
def channels_flipped_too(x, w):
    return F.conv2d(x, w.flip(1, 2, 3))


@TRUE_CONVOLUTION.rejects("transposed")
def transposed_kernels(x, w):
    return F.conv2d(x, w.mT)


@TRUE_CONVOLUTION.rejects("quarter-turn")
def rot90_once(x, w):
    return F.conv2d(x, torch.rot90(w, 1, dims=(2, 3)))


@TRUE_CONVOLUTION.rejects(None)
def quarter_turn_the_other_way(x, w):
    return F.conv2d(x, torch.rot90(w, -1, dims=(2, 3)))


@TRUE_CONVOLUTION.rejects("output-flipped")
def map_flipped(x, w):
    return F.conv2d(x, w).flip(2, 3)


@TRUE_CONVOLUTION.rejects("image-flipped")
def image_flipped_only(x, w):
    return F.conv2d(x.flip(2, 3), w)


@TRUE_CONVOLUTION.rejects("sign-changed")
def negative_kernel(x, w):
    return F.conv2d(x, -w)


@TRUE_CONVOLUTION.rejects(None)
def full_size(x, w):
    return F.conv2d(x, w.flip(2, 3), padding=(w.shape[2] - 1, w.shape[3] - 1))


@TRUE_CONVOLUTION.rejects(None)
def same_size(x, w):
    return F.conv2d(x, w.flip(2, 3), padding="same")


@TRUE_CONVOLUTION.rejects(None)
def negative_step(x, w):
    return F.conv2d(x, w[:, :, ::-1, ::-1])


@TRUE_CONVOLUTION.rejects(None)
def first_image_only(x, w):
    return F.conv2d(x[:1], w.flip(2, 3))


@TRUE_CONVOLUTION.rejects(None)
def arguments_exchanged(x, w):
    return F.conv2d(w.flip(2, 3), x)


@TRUE_CONVOLUTION.rejects("changes-argument")
def kernels_overwritten(x, w):
    w.copy_(w.flip(2, 3).clone())
    return F.conv2d(x, w)


@TRUE_CONVOLUTION.rejects("no-return")
def nothing_given_back(x, w):
    F.conv2d(x, w.flip(2, 3))


# ================================================================================================ images_to_tensor: right ones


@IMAGES_TO_TENSOR.accepts
def permuted_in_torch(images):
    x = torch.from_numpy(images.copy()).float() / 255
    return x.unsqueeze(1) if x.ndim == 3 else x.permute(0, 3, 1, 2)


@IMAGES_TO_TENSOR.accepts
def gray_as_color_of_one_channel(images):
    images = images.reshape(*images.shape, 1) if images.ndim == 3 else images
    return torch.tensor(np.moveaxis(images, -1, 1).astype(np.float32) / np.float32(255))


@IMAGES_TO_TENSOR.accepts
def einsum_for_the_axes(images):
    x = torch.tensor(images) / 255.0
    return torch.einsum("nhwc->nchw", x if x.ndim == 4 else x[..., None])


@IMAGES_TO_TENSOR.accepts
def channel_by_channel(images):
    channels = [images] if images.ndim == 3 else [images[..., c] for c in range(images.shape[-1])]
    return torch.stack([torch.tensor(channel, dtype=torch.float32) / 255 for channel in channels], dim=1)


@IMAGES_TO_TENSOR.accepts
def two_swaps(images):
    images = images[..., None] if images.ndim == 3 else images
    return torch.tensor(images).swapaxes(1, 3).swapaxes(2, 3).contiguous().mul(1 / 255).float()


@IMAGES_TO_TENSOR.accepts
def torchvision_one_by_one(images):
    from torchvision.transforms.functional import to_tensor

    return torch.stack([to_tensor(np.ascontiguousarray(image)) for image in images])


@IMAGES_TO_TENSOR.accepts
def in_float64_first(images):
    x = torch.tensor(images.astype(np.float64) / 255.0)
    return (x[:, None] if x.dim() == 3 else x.movedim(-1, 1)).to(torch.float32)


@IMAGES_TO_TENSOR.accepts
def with_gradients_and_filled_by_loops(images):
    images = images if images.ndim == 4 else images[..., None]
    count, height, width, channels = images.shape
    x = torch.zeros(count, channels, height, width, requires_grad=True)
    with torch.no_grad():
        for n in range(count):
            for c in range(channels):
                x[n, c] = torch.tensor(images[n, :, :, c] / 255)
    return x


# ================================================================================================ images_to_tensor: wrong ones


def floats(images):
    return torch.tensor(images).float() / 255


@IMAGES_TO_TENSOR.rejects("reshaped")
def view_for_color(images):
    x = floats(images)
    return x[:, None] if x.ndim == 3 else x.view(len(x), x.shape[3], *x.shape[1:3])


@IMAGES_TO_TENSOR.rejects("height-and-width-exchanged")
def one_swap(images):
    x = floats(images)
    return x[:, None] if x.ndim == 3 else x.transpose(1, 3)


@IMAGES_TO_TENSOR.rejects("channels-still-last")
def axes_of_color_left(images):
    x = floats(images)
    return x[:, None] if x.ndim == 3 else x


@IMAGES_TO_TENSOR.rejects("gray-without-channel")
def gray_forgotten(images):
    x = floats(images)
    return x if x.ndim == 3 else x.permute(0, 3, 1, 2)


@IMAGES_TO_TENSOR.rejects(None)
def color_only(images):
    return floats(images).permute(0, 3, 1, 2)


@IMAGES_TO_TENSOR.rejects("gray-channel-last")
def gray_axis_at_the_end(images):
    x = floats(images)
    return x[..., None] if x.ndim == 3 else x.permute(0, 3, 1, 2)


@IMAGES_TO_TENSOR.rejects("gray-batch-as-channels")
def gray_axis_in_front(images):
    x = floats(images)
    return x[None] if x.ndim == 3 else x.permute(0, 3, 1, 2)


def arranged(images):
    return images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)


@IMAGES_TO_TENSOR.rejects("not-scaled")
def values_left(images):
    return torch.tensor(arranged(images)).float()


@IMAGES_TO_TENSOR.rejects("divided-by-256")
def scaled_by_256(images):
    return torch.tensor(arranged(images) / 256).float()


@IMAGES_TO_TENSOR.rejects("divided-by-the-largest")
def scaled_by_the_maximum(images):
    return torch.tensor(arranged(images) / images.max()).float()


@IMAGES_TO_TENSOR.rejects("float64")
def type_of_numpy(images):
    return torch.tensor(arranged(images) / 255)


@IMAGES_TO_TENSOR.rejects("float64")
def bytes_left(images):
    return torch.tensor(arranged(images))


@IMAGES_TO_TENSOR.rejects("float64")
def half_precision(images):
    return torch.tensor(arranged(images) / 255).half()


@IMAGES_TO_TENSOR.rejects("still-an-array")
def array_of_float32(images):
    return (arranged(images) / 255).astype(np.float32)


@IMAGES_TO_TENSOR.rejects("still-an-array")
def list_of_tensors(images):
    return list(torch.tensor(arranged(images) / 255).float())


@IMAGES_TO_TENSOR.rejects("colors-in-reverse")
def blue_first(images):
    return torch.tensor(arranged(images if images.ndim == 3 else images[..., ::-1]) / 255).float()


@IMAGES_TO_TENSOR.rejects(None)
def whole_division(images):
    return torch.tensor(arranged(images) // 255).float()


@IMAGES_TO_TENSOR.rejects(None)
def from_minus_one_to_one(images):
    return torch.tensor(arranged(images) / 127.5 - 1).float()


@IMAGES_TO_TENSOR.rejects(None)
def three_copies_of_gray(images):
    x = torch.tensor(arranged(images) / 255).float()
    return x.expand(-1, 3, -1, -1)


@IMAGES_TO_TENSOR.rejects(None)
def first_image_alone(images):
    return torch.tensor(arranged(images) / 255).float()[0]


@IMAGES_TO_TENSOR.rejects(None)
def batch_behind_channels(images):
    return torch.tensor(arranged(images) / 255).float().transpose(0, 1)


@IMAGES_TO_TENSOR.rejects("changes-argument")
def scaled_in_place(images):
    x = torch.tensor(arranged(images) / 255).float()
    images //= 255
    return x


@IMAGES_TO_TENSOR.rejects("no-return")
def nothing_handed_back(images):
    torch.tensor(arranged(images) / 255).float()


# ================================================================================================ from_keras: right ones


@FROM_KERAS.accepts
def permuted_tensor(weight, bias):
    w = tensor(weight).permute(3, 2, 0, 1)
    return loaded(nn.Conv2d(w.shape[1], w.shape[0], tuple(w.shape[2:])), w, tensor(bias))


@FROM_KERAS.accepts
def new_parameters(weight, bias):
    layer = nn.Conv2d(1, 1, 1)
    layer.weight = nn.Parameter(tensor(np.moveaxis(weight, (3, 2), (0, 1))))
    layer.bias = nn.Parameter(tensor(bias))
    return layer


@FROM_KERAS.accepts
def lazy_layer(weight, bias):
    layer = nn.LazyConv2d(weight.shape[3], weight.shape[:2])
    layer(torch.zeros(1, weight.shape[2], 9, 9))
    return loaded(layer, weight.transpose(3, 2, 0, 1).copy(), bias.copy())


@FROM_KERAS.accepts
def state_dict(weight, bias):
    layer = nn.Conv2d(weight.shape[2], weight.shape[3], weight.shape[:2])
    layer.load_state_dict({"weight": tensor(np.einsum("hwio->oihw", weight)), "bias": tensor(bias)})
    return layer


@FROM_KERAS.accepts
def filter_by_filter(weight, bias):
    layer = nn.Conv2d(weight.shape[2], weight.shape[3], weight.shape[:2])
    with torch.no_grad():
        for o in range(weight.shape[3]):
            layer.bias[o] = float(bias[o])
            for c in range(weight.shape[2]):
                layer.weight[o, c] = torch.tensor(weight[:, :, c, o])
    return layer


@FROM_KERAS.accepts
def layer_in_float64(weight, bias):
    layer = nn.Conv2d(weight.shape[2], weight.shape[3], weight.shape[:2], dtype=torch.float64)
    return loaded(layer, weight.transpose(3, 2, 0, 1).copy(), bias.copy())


@FROM_KERAS.accepts
def data_of_the_parameters(weight, bias):
    layer = nn.Conv2d(weight.shape[2], weight.shape[3], weight.shape[:2], padding="valid")
    layer.weight.data, layer.bias.data = tensor(weight.T.swapaxes(2, 3)), tensor(bias)
    return layer


@FROM_KERAS.accepts
def module_that_computes(weight, bias):
    class Moved(nn.Module):
        def forward(self, x):
            windows = x.unfold(2, weight.shape[0], 1).unfold(3, weight.shape[1], 1)
            return torch.einsum("nchwuv,uvco->nohw", windows, tensor(weight)) + tensor(bias)[:, None, None]

    return Moved()


# ================================================================================================ from_keras: wrong ones


def keras_layer(weight, **options):
    return nn.Conv2d(weight.shape[2], weight.shape[3], weight.shape[:2], **options)


@FROM_KERAS.rejects("reshaped")
def reshaped(weight, bias):
    layer = keras_layer(weight)
    return loaded(layer, tensor(weight).reshape(layer.weight.shape), tensor(bias))


@FROM_KERAS.rejects("kernels-transposed")
def all_axes_reversed(weight, bias):
    weight = np.ascontiguousarray(weight.T)
    layer = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2:])
    return loaded(layer, tensor(weight), tensor(bias))


@FROM_KERAS.rejects("axes-reversed")
def transposed_into_a_layer_of_the_right_size(weight, bias):
    return loaded(keras_layer(weight), tensor(weight.transpose(3, 2, 1, 0)), tensor(bias))


@FROM_KERAS.rejects("axes-reversed")
def capital_t(weight, bias):
    return loaded(keras_layer(weight), tensor(weight.T), tensor(bias))


@FROM_KERAS.rejects("tensor-assigned")
def tensor_put_in_place_of_the_weight(weight, bias):
    layer = keras_layer(weight)
    with torch.no_grad():
        layer.weight = tensor(weight).permute(3, 2, 0, 1)
    return layer


@FROM_KERAS.rejects("channels-exchanged")
def channels_in_before_channels_out(weight, bias):
    weight = tensor(weight).permute(2, 3, 0, 1)
    layer = nn.Conv2d(weight.shape[1], weight.shape[0], tuple(weight.shape[2:]))
    return loaded(layer, weight, tensor(bias))


@FROM_KERAS.rejects("not-moved", None)
def weights_as_they_are(weight, bias):
    layer = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2:])
    return loaded(layer, tensor(weight), tensor(bias))


@FROM_KERAS.rejects(None)
def copied_without_moving(weight, bias):
    return loaded(keras_layer(weight), tensor(weight), tensor(bias))


@FROM_KERAS.rejects("kernels-flipped")
def half_turn(weight, bias):
    return loaded(keras_layer(weight), tensor(weight).permute(3, 2, 0, 1).flip(2, 3), tensor(bias))


@FROM_KERAS.rejects("bias-missing")
def no_bias(weight, bias):
    return loaded(keras_layer(weight, bias=False), tensor(weight).permute(3, 2, 0, 1))


@FROM_KERAS.rejects("bias-missing")
def bias_of_zeros(weight, bias):
    return loaded(keras_layer(weight), tensor(weight).permute(3, 2, 0, 1), torch.zeros(len(bias)))


@FROM_KERAS.rejects("bias-not-loaded")
def random_bias(weight, bias):
    return loaded(keras_layer(weight), tensor(weight).permute(3, 2, 0, 1))


@FROM_KERAS.rejects("weights-not-loaded")
def random_weights(weight, bias):
    layer = keras_layer(weight)
    with torch.no_grad():
        layer.bias.copy_(tensor(bias))
    return layer


@FROM_KERAS.rejects("weights-not-loaded")
def nothing_loaded(weight, bias):
    return keras_layer(weight)


@FROM_KERAS.rejects("array-returned")
def weights_only(weight, bias):
    return tensor(weight).permute(3, 2, 0, 1)


@FROM_KERAS.rejects("array-returned")
def pair_of_parameters(weight, bias):
    return tensor(weight).permute(3, 2, 0, 1), tensor(bias)


@FROM_KERAS.rejects("padded-unasked")
def padding_of_one(weight, bias):
    return loaded(keras_layer(weight, padding=1), tensor(weight).permute(3, 2, 0, 1), tensor(bias))


@FROM_KERAS.rejects(None)
def same_as_in_keras(weight, bias):
    return loaded(keras_layer(weight, padding="same"), tensor(weight).permute(3, 2, 0, 1), tensor(bias))


@FROM_KERAS.rejects(None)
def biases_in_reverse(weight, bias):
    return loaded(keras_layer(weight), tensor(weight).permute(3, 2, 0, 1), tensor(bias[::-1]))


@FROM_KERAS.rejects(None)
def first_bias_for_all(weight, bias):
    return loaded(keras_layer(weight), tensor(weight).permute(3, 2, 0, 1), tensor(bias[:1]))


@FROM_KERAS.rejects(None)
def bias_twice(weight, bias):
    return loaded(keras_layer(weight), tensor(weight).permute(3, 2, 0, 1), 2 * tensor(bias))


@FROM_KERAS.rejects(None)
def square_kernels(weight, bias):
    layer = nn.Conv2d(weight.shape[2], weight.shape[3], weight.shape[0])
    return loaded(layer, tensor(weight).permute(3, 2, 0, 1), tensor(bias))


@FROM_KERAS.rejects(None)
def whole_numbers(weight, bias):
    return loaded(keras_layer(weight), tensor(weight).permute(3, 2, 0, 1).int(), tensor(bias).int())


@FROM_KERAS.rejects("no-grad-forgotten")
def grad_not_switched_off(weight, bias):
    layer = keras_layer(weight)
    layer.weight.copy_(tensor(weight).permute(3, 2, 0, 1))
    return layer


# ================================================================================================ answers worked out by hand

READ_SHAPES = worked_out(
    "L4.1",
    {
        "input's height and width in the weights": [[8, 3, 28, 28], [32, 8, 27, 24], [16, 2, 28, 28], [32, 16, 14, 12]],
        "plus one forgotten": [[8, 3, 2, 5], [32, 8, 26, 23], [16, 2, 3, 3], [32, 16, 13, 11]],
        "stride forgotten": [[8, 3, 2, 5], [32, 8, 27, 24], [16, 2, 3, 3], [32, 16, 27, 24]],
        "padding on one side only": [[8, 3, 2, 5], [32, 8, 27, 24], [16, 2, 3, 3], [32, 16, 13, 11]],
        "channels last in the outputs": [[8, 3, 2, 5], [32, 27, 24, 8], [16, 2, 3, 3], [32, 14, 12, 16]],
        "B on the first image's size": [[8, 3, 2, 5], [32, 8, 27, 24], [16, 2, 3, 3], [32, 16, 14, 14]],
        "size kept": [[8, 3, 2, 5], [32, 8, 28, 28], [16, 2, 3, 3], [32, 16, 14, 14]],
        "groups counted twice": [[8, 3, 2, 5], [32, 8, 27, 24], [4, 2, 3, 3], [32, 16, 14, 12]],
        "not done": ...,
        "text": "8, 3, 2, 5",
    },
)
RANDOM_WEIGHTS = worked_out(
    "9.3",
    {
        "the number of products": [9, 4, 400, 9],
        "its root": [3, 2, 20, 3],
        "negative bounds": [-1 / 3, -1 / 2, -1 / 20, -1 / 3],
        "one third everywhere": [1 / 3] * 4,
        "one bound for the first layer only": 1 / 3,
        "width of the interval": [2 / 3, 1, 1 / 10, 2 / 3],
        "roots forgotten in all": named("root-forgotten", [1 / 9, 1 / 4, 1 / 400, 1 / 9]),
        "He's rule": [math.sqrt(2 / n) for n in (9, 4, 400, 9)],
    },
    right={
        "as text of fractions, worked out": [eval(text) for text in ("1/3", "1/2", "1/20", "1/3")],
        "rounded": [0.333, 0.5, 0.05, 0.333],
    },
)
BOXED_FORMULA = worked_out(
    "L4.2",
    {
        "absolute values": named("code-flipped", [[3, 6], [3, 6]]),
        "all five products of the formula": [[1, 2, 3, 6, -4, -8], [-3, -6, 0, 0, 0, 0]],
        "one sum": [9, -9],
        "columns and rows exchanged": [[3, -3], [6, -6]],
        "without the zero weight, neighbors subtracted": [[-1, -2], [-1, -2]],
        "signs of the code wrong": named("exchanged", [list(CORRELATED), list(CONVOLVED)]),
        "not done": [[..., ...], [..., ...]],
    },
)
NOTICES = worked_out(
    "L4.3",
    {
        "all of them": [1] * 8,
        "none of them": [0] * 8,
        "those that find edges": [0, 0, 0, 0, 1, 1, 1, 1],
        "sharpen too": [0, 0, 0, 1, 0, 1, 1, 1],
        "those whose numbers do not add up to 1": [0, 0, 0, 0, 1, 1, 1, 0],
        "how many": 3,
        "words": ["no"] * 5 + ["yes"] * 3,
        "seven answers": [0, 0, 0, 0, 1, 1, 1],
    },
    right={"booleans": [False] * 5 + [True] * 3},
)
PREDICT_ERRORS = worked_out(
    "L4.4",
    {
        "all work": [0] * 7,
        "all by their place": [1, 2, 3, 4, 5, 6, 7],
        "letters": ["a"] * 7,
        "everything one up": [number + 1 for number in CALLS.values()],
        "two slips": [1, 2, 1, 3, 4, 5, 0],
        "kernel too large for neither": [0, 2, 1, 0, 5, 4, 0],
        "one answer": 0,
        "half done": [0, 2, 1, ..., ..., ..., ...],
    },
)

PROOFS = (
    LOAD_KERNEL, AGREES, FEATURE_MAPS, TRUE_CONVOLUTION, IMAGES_TO_TENSOR, FROM_KERAS,
    READ_SHAPES, RANDOM_WEIGHTS, BOXED_FORMULA, NOTICES, PREDICT_ERRORS,
)  # fmt: skip
