"""A convolutional network in NumPy alone: layers with a forward and a backward pass, a loss, two optimizers.

Every layer keeps one protocol:

- `y = layer(x)` (or `layer.forward(x)`) computes the output, and remembers what the backward pass needs;
- `d_x = layer.backward(d_y)` takes the gradient of the loss by `y`, returns the one by the `x` of the last forward pass, and sets
  (does not add to) the `gradient` of each of the layer's parameters;
- `layer.parameters()` lists them: what the optimizer may change.

A step of training is then: `loss, d_logits = softmax_cross_entropy(model(x), labels)`, `model.backward(d_logits)`, `optimizer.step()`.
The names are those of `torch.nn`. Convolution and pooling work by two functions each, which can be given: anyone's own.
"""

import math

import numpy as np

from course_lib import convolution, pooling
from course_lib.arithmetic import pair, whole_number


class Parameter:
    """An array that is learned, `value`, and the `gradient` of the last loss by it, of the same shape."""

    def __init__(self, value):
        self.value = value
        self.gradient = np.zeros_like(value)


class Layer:
    """What all layers share."""

    _input = None  # of the last forward pass

    def __call__(self, x):
        return self.forward(x)

    def parameters(self):
        return []

    def _last_input(self):
        if self._input is None:
            raise RuntimeError(f"{type(self).__name__}.backward needs the input of a forward pass: call the layer on a batch first")
        return self._input


class Conv2d(Layer):
    """A convolution with a bias, (N, C_in, H, W) -> (N, C_out, H_out, W_out).

    Parameters
    ----------
    in_channels, out_channels : int
        C_in and C_out.
    kernel_size : int or (int, int)
        (kH, kW).
    stride, padding
        As in `course_lib.convolution.conv2d`.
    rng : numpy.random.Generator
        Draws the kernels (`he_normal`); biases start at 0.
    dtype : dtype
        Of the parameters.
    forward : callable
        `forward(x, weight, bias, stride, padding)` returns the output.
    backward : callable
        `backward(d_y, x, weight, stride, padding)` returns `(d_x, d_weight, d_bias)`.

    Attributes
    ----------
    weight : Parameter, (C_out, C_in, kH, kW)
    bias : Parameter, (C_out,)
    """

    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride=1,
        padding=0,
        *,
        rng,
        dtype=np.float32,
        forward=convolution.conv2d,
        backward=convolution.conv2d_backward,
    ):
        in_channels, out_channels = whole_number("in_channels", in_channels, 1), whole_number("out_channels", out_channels, 1)
        self.weight = Parameter(he_normal((out_channels, in_channels, *pair("kernel_size", kernel_size, 1)), rng, dtype))
        self.bias = Parameter(np.zeros(out_channels, dtype))
        self.stride, self.padding = stride, padding
        self._forward, self._backward = forward, backward

    def forward(self, x):
        self._input = x
        return self._forward(x, self.weight.value, self.bias.value, self.stride, self.padding)

    def backward(self, d_y):
        d_x, *gradients = self._backward(d_y, self._last_input(), self.weight.value, self.stride, self.padding)
        _set_gradients(self.parameters(), gradients)
        return d_x

    def parameters(self):
        return [self.weight, self.bias]


class Linear(Layer):
    """A dense layer, `y = x @ weight + bias`: (N, in_features) -> (N, out_features).

    Parameters
    ----------
    in_features, out_features : int
        Numbers that come in and go out for each example.
    rng : numpy.random.Generator
        Draws the weights (`he_normal`); biases start at 0.
    dtype : dtype
        Of the parameters.

    Attributes
    ----------
    weight : Parameter, (in_features, out_features)
        The transpose of torch's.
    bias : Parameter, (out_features,)
    """

    def __init__(self, in_features, out_features, *, rng, dtype=np.float32):
        in_features, out_features = whole_number("in_features", in_features, 1), whole_number("out_features", out_features, 1)
        self.weight = Parameter(he_normal((out_features, in_features), rng, dtype).T)
        self.bias = Parameter(np.zeros(out_features, dtype))

    def forward(self, x):
        if x.ndim != 2 or x.shape[1] != len(self.weight.value):
            raise ValueError(f"Linear takes (N, {len(self.weight.value)}), got {x.shape}; Flatten() before it makes rows of feature maps")
        self._input = x
        return x @ self.weight.value + self.bias.value

    def backward(self, d_y):
        _set_gradients(self.parameters(), [self._last_input().T @ d_y, d_y.sum(axis=0)])
        return d_y @ self.weight.value.T

    def parameters(self):
        return [self.weight, self.bias]


class ReLU(Layer):
    """`max(x, 0)`, cell by cell. Its gradient at 0 is 0."""

    def forward(self, x):
        self._input = x
        return np.maximum(x, 0)

    def backward(self, d_y):
        return d_y * (self._last_input() > 0)


class _Pool2d(Layer):
    """A pooling by the two functions given: `forward(x, pool_size, stride)` and `backward(d_y, x, pool_size, stride)`."""

    def __init__(self, pool_size, stride, forward, backward):
        self.pool_size, self.stride = pool_size, pool_size if stride is None else stride
        self._forward, self._backward = forward, backward

    def forward(self, x):
        self._input = x
        return self._forward(x, self.pool_size, self.stride)

    def backward(self, d_y):
        return self._backward(d_y, self._last_input(), self.pool_size, self.stride)


class MaxPool2d(_Pool2d):
    """The largest value of each window, (N, C, H, W) -> (N, C, H_out, W_out).

    Parameters
    ----------
    pool_size, stride : int or (int, int)
        As in `course_lib.pooling.max_pool2d`.
    forward : callable
        `forward(x, pool_size, stride)` returns the output.
    backward : callable
        `backward(d_y, x, pool_size, stride)` returns `d_x`.
    """

    def __init__(self, pool_size=2, stride=None, *, forward=pooling.max_pool2d, backward=pooling.max_pool2d_backward):
        super().__init__(pool_size, stride, forward, backward)


class AvgPool2d(_Pool2d):
    """The mean of each window. Parameters as `MaxPool2d`."""

    def __init__(self, pool_size=2, stride=None, *, forward=pooling.avg_pool2d, backward=pooling.avg_pool2d_backward):
        super().__init__(pool_size, stride, forward, backward)


class GlobalAvgPool2d(Layer):
    """The mean of each feature map, (N, C, H, W) -> (N, C)."""

    def forward(self, x):
        self._input = x
        return pooling.global_avg_pool(x)

    def backward(self, d_y):
        return pooling.global_avg_pool_backward(d_y, self._last_input())


class Flatten(Layer):
    """One row for each example, (N, C, H, W) -> (N, C * H * W)."""

    def forward(self, x):
        self._input = x
        return x.reshape(len(x), math.prod(x.shape[1:]))

    def backward(self, d_y):
        return d_y.reshape(self._last_input().shape)


class Sequential(Layer):
    """Layers one after the other: forward from the first to the last, backward from the last to the first."""

    def __init__(self, *layers):
        self.layers = list(layers)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x

    def backward(self, d_y):
        for layer in reversed(self.layers):
            d_y = layer.backward(d_y)
        return d_y

    def parameters(self):
        return [parameter for layer in self.layers for parameter in layer.parameters()]


def he_normal(shape, rng, dtype=np.float32):
    """Return weights, (outputs, ...), from a normal distribution of variance `2 / fan_in`, with `fan_in` inputs to each output.

    This keeps the size of the signal from layer to layer when half of it is cut off by ReLU: He, Zhang, Ren and Sun, *Delving
    deep into rectifiers* (arXiv:1502.01852), equation 10.
    """
    return rng.normal(0, math.sqrt(2 / math.prod(shape[1:])), shape).astype(dtype)


def softmax_cross_entropy(logits, labels):
    """Return the mean cross-entropy of softmax, and its gradient by the logits.

    The loss of an example is `-log(p[label])` with `p = softmax(logits)`; its gradient is `p`, less 1 at the label.

    Parameters
    ----------
    logits : ndarray, (N, K)
        Scores of the K classes, N at least 1.
    labels : array_like of int, (N,)
        The right classes, from 0 to K - 1.

    Returns
    -------
    loss : float
        In nats, the mean over the batch.
    d_logits : ndarray, (N, K)
        Of the type of `logits`.

    Raises
    ------
    ValueError
        When the shapes do not go together, or a label is no class.

    Examples
    --------
    >>> loss, d_logits = softmax_cross_entropy(np.log([[1.0, 3.0]]), [1])
    >>> print(f"{loss:.4f}", d_logits)  # -log(3/4)
    0.2877 [[ 0.25 -0.25]]
    """
    logits, labels = np.asarray(logits), np.asarray(labels)
    if logits.ndim != 2 or 0 in logits.shape:
        raise ValueError(f"logits must have shape (N, K) with no axis empty, got {logits.shape}")
    examples, classes = logits.shape
    if labels.shape != (examples,) or labels.dtype.kind not in "iu":
        raise ValueError(f"labels must be {examples} whole numbers, one for each row of logits, got {labels.dtype} of shape {labels.shape}")
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"labels must lie from 0 to {classes - 1}, one of {classes} classes, got {labels.min()} to {labels.max()}")
    shifted = logits - logits.max(axis=1, keepdims=True)  # the same softmax, and no exponential overflows
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    right = np.arange(examples), labels
    d_logits = np.exp(log_p)
    d_logits[right] -= 1
    return -float(log_p[right].mean()), d_logits / examples


class SGD:
    """Stochastic gradient descent with momentum: `velocity = momentum * velocity + gradient`, `value -= learning_rate * velocity`.

    Parameters
    ----------
    parameters : list of Parameter
        What to change, in place.
    learning_rate : float
        May be changed between steps.
    momentum : float
        0 is plain gradient descent.
    """

    def __init__(self, parameters, learning_rate, momentum=0.9):
        self.parameters, self.learning_rate, self.momentum = list(parameters), learning_rate, momentum
        self._velocities = [np.zeros_like(parameter.value) for parameter in self.parameters]

    def step(self):
        for parameter, velocity in zip(self.parameters, self._velocities, strict=True):
            velocity *= self.momentum
            velocity += parameter.gradient
            parameter.value -= self.learning_rate * velocity


class Adam:
    """Steps of about `learning_rate`, whatever the size of a gradient: the running mean over the running root mean square.

    Kingma and Ba, *Adam: a method for stochastic optimization* (arXiv:1412.6980), algorithm 1 with its own constants.

    Parameters
    ----------
    parameters : list of Parameter
        What to change, in place.
    learning_rate : float
        May be changed between steps.
    """

    def __init__(self, parameters, learning_rate=0.001):
        self.parameters, self.learning_rate = list(parameters), learning_rate
        self._means = [np.zeros_like(parameter.value) for parameter in self.parameters]
        self._squares = [np.zeros_like(parameter.value) for parameter in self.parameters]
        self._steps = 0

    def step(self):
        self._steps += 1
        beta1, beta2, epsilon = 0.9, 0.999, 1e-8
        for parameter, mean, square in zip(self.parameters, self._means, self._squares, strict=True):
            mean += (1 - beta1) * (parameter.gradient - mean)
            square += (1 - beta2) * (parameter.gradient**2 - square)
            unbiased_mean, unbiased_square = mean / (1 - beta1**self._steps), square / (1 - beta2**self._steps)
            parameter.value -= self.learning_rate * unbiased_mean / (np.sqrt(unbiased_square) + epsilon)


def _set_gradients(parameters, gradients):
    for parameter, gradient in zip(parameters, gradients, strict=True):
        if np.shape(gradient) != parameter.value.shape:
            raise ValueError(f"a gradient must have the shape of its parameter, {parameter.value.shape}, got {np.shape(gradient)}")
        parameter.gradient = gradient
