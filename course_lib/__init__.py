"""Learning to See: the course's reference library.

Names are imported on first use (PEP 562), so that `import course_lib` costs nothing and loads neither torch nor matplotlib.
"""

import importlib

_HOME = {
    "check": "checks",
    "hint": "checks",
    "quiz": "quizzes",
    "Verdict": "checks",
    "output_size": "arithmetic",
    "same_padding": "arithmetic",
    "conv_parameters": "arithmetic",
    "conv_macs": "arithmetic",
    "receptive_field": "arithmetic",
    "CLASSIC_KERNELS": "kernels",
    "load_mnist": "data",
    "load_photo": "data",
    "conv2d": "convolution",
    "conv2d_backward": "convolution",
    "conv_transpose2d": "convolution",
    "max_pool2d": "pooling",
    "avg_pool2d": "pooling",
    "global_avg_pool": "pooling",
    "adaptive_avg_pool2d": "pooling",
}

__all__ = list(_HOME)


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value  # the next access no longer comes here
    return value


def __dir__():
    return sorted({*globals(), *__all__})
