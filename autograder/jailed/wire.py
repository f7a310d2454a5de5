"""Values on their way between a student's kernel and the checker, as JSON: numbers, text, arrays, tensors, and handles for the rest.

A frame is eight bytes of length and that many bytes of JSON. The checker believes nothing that it reads: sizes are bounded before
anything is decoded, an array is bytes with a number type and a shape that must fit, and nothing is ever unpickled.
"""

import base64
import binascii
import collections
import contextlib
import json
import math
import re
import struct
import sys
from array import ArrayType
from decimal import Decimal
from fractions import Fraction

import numpy as np

LARGEST_FRAME = 96 << 20  # bytes; an answer of 64 MB, which is more than any check takes, is 86 MB in base64
LARGEST_TEXT = 1 << 20  # characters
MOST_DIGITS = 4000  # of a whole number
LARGEST_EXPONENT = 400  # of a decimal number, which is more than floats have
DEEPEST = 24
MOST_VALUES = 2_000_000  # in all lists, tuples and dicts of a frame
NUMBERS = re.compile(r"[<>|=]?(?:b1|[iu][1248]|f[248]|f16|c8|c16|c32)")


class WireError(Exception):
    """What came is no value that can be taken; the message says why."""


# ---------------------------------------------------------------------------------------------------- frames


def send(connection, message):
    """Write one message, a dict of what JSON knows, to a socket."""
    data = json.dumps(message, allow_nan=False).encode("ascii")
    if len(data) > LARGEST_FRAME:
        raise WireError(f"an answer of {len(data) >> 20} MB is more than {LARGEST_FRAME >> 20} MB")
    connection.sendall(struct.pack(">Q", len(data)) + data)


def receive(connection):
    """Read one message, or None at the end of the connection."""
    head = _exactly(connection, 8)
    if head is None:
        return None
    (length,) = struct.unpack(">Q", head)
    if length > LARGEST_FRAME:
        raise WireError(f"an answer of {length >> 20} MB is more than {LARGEST_FRAME >> 20} MB")
    data = _exactly(connection, length)
    if data is None:
        return None
    try:
        message = json.loads(data)
    except (ValueError, RecursionError):
        raise WireError("an answer that is no JSON") from None
    if not isinstance(message, dict):
        raise WireError("an answer of the wrong form")
    return message


def _exactly(connection, count):
    parts = bytearray()
    while len(parts) < count:
        part = connection.recv(min(count - len(parts), 1 << 20))
        if not part:
            return None
        parts += part
    return bytes(parts)


# ---------------------------------------------------------------------------------------------------- from values to JSON


def pack(value, handle=None, depth=0):
    """A value as JSON.

    Parameters
    ----------
    value : object
    handle : callable, optional
        From an object that has no form of its own here to JSON that stands for it. By default there are no such objects.
    """
    kind = type(value)
    if value is None or kind is bool or kind is str:
        return value
    if kind is int:
        return value if abs(value) < 1 << 53 else ["int", _digits(value)]
    if kind is float:
        return ["float", value.hex()] if math.isfinite(value) else ["float", str(value)]
    if kind is complex:
        return ["complex", value.real.hex(), value.imag.hex()]
    if value is Ellipsis:
        return ["ellipsis"]
    if depth > DEEPEST:
        raise WireError("an answer that is nested too deeply")
    if kind in (list, tuple):
        return [kind.__name__, [pack(one, handle, depth + 1) for one in value]]
    if kind is dict:
        return ["dict", [[pack(key, handle, depth + 1), pack(one, handle, depth + 1)] for key, one in value.items()]]
    if kind in (set, frozenset):
        return ["set", [pack(one, handle, depth + 1) for one in value]]
    if kind is bytes:
        return ["bytes", _base64(value)]
    if isinstance(value, (Fraction, Decimal)):
        return [type(value).__name__.lower(), str(value)]
    if isinstance(value, np.generic) and value.dtype.kind in "biufc":
        return ["scalar", value.dtype.str, _base64(value.tobytes())]
    if isinstance(value, np.ndarray):
        return _pack_array(value, handle, depth)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        return _pack_tensor(value, torch)
    for plain in (int, float, str, bytes, list, tuple, dict):  # what is derived from these: an enum, a namedtuple, a text of NumPy's
        if isinstance(value, plain):
            return pack(plain(value), handle, depth)
    if isinstance(value, (collections.deque, ArrayType)):
        return pack(list(value), handle, depth)
    if hasattr(kind, "__array__") and not callable(value):
        with contextlib.suppress(Exception):  # then it has no form of its own after all
            return _pack_array(np.asarray(value), handle, depth)
    if handle is None:
        raise WireError(f"a {kind.__name__} cannot be handed over")
    return handle(value)


def _digits(value):
    digits = hex(value)
    if len(digits) > MOST_DIGITS:
        raise WireError(f"a whole number of more than {MOST_DIGITS} digits")
    return digits


def _pack_array(value, handle, depth):
    array = np.asarray(value)
    if array.dtype.kind in "biufc" and NUMBERS.fullmatch(array.dtype.str):
        order = "C" if array.flags.c_contiguous else "F" if array.flags.f_contiguous else "strided"
        data = np.asfortranarray(array).tobytes("A") if order == "F" else array.tobytes()
        return ["array", array.dtype.str, list(array.shape), order, bool(array.flags.writeable), _base64(data)]
    if array.dtype.kind == "U":
        return ["texts", list(array.shape), [str(one) for one in array.ravel()]]
    if array.dtype.kind == "O":
        return ["objects", list(array.shape), [pack(one, handle, depth + 1) for one in array.ravel()]]
    return ["foreign", f"ndarray of {array.dtype}"[:60], ""]


def _pack_tensor(value, torch):
    plain = value.detach().cpu()
    if plain.dtype is torch.bfloat16:
        plain = plain.float()
    try:
        array = plain.resolve_conj().numpy()
    except (TypeError, RuntimeError):
        return ["foreign", f"tensor of {value.dtype}"[:60], ""]
    return ["tensor", array.dtype.str, list(array.shape), bool(value.requires_grad), _base64(array.tobytes())]


def _base64(data):
    return base64.b64encode(data).decode("ascii")


# ---------------------------------------------------------------------------------------------------- from JSON to values


def unpack(form, handle=None):
    """The value that JSON stands for.

    Parameters
    ----------
    form : object
        As `pack` made it, or as somebody wants us to believe.
    handle : callable, optional
        From the JSON of a kind that is unknown here, a list that begins with a text, to a value.

    Raises
    ------
    WireError
    """
    return _Unpacker(handle).value(form, 0)


class _Unpacker:
    def __init__(self, handle):
        self.handle = handle
        self.count = 0

    def value(self, form, depth):
        self.count += 1
        if self.count > MOST_VALUES or depth > DEEPEST + 4:
            raise WireError("an answer of too many parts")
        if form is None or isinstance(form, bool):
            return form
        if isinstance(form, str):
            if len(form) > LARGEST_TEXT:
                raise WireError("a text that is too long")
            return form
        if isinstance(form, int):
            if abs(form) > 1 << 53:
                raise WireError("a number that is too large")
            return form
        if not isinstance(form, list) or not form or not isinstance(form[0], str):
            raise WireError("an answer of the wrong form")
        kind, *rest = form
        maker = getattr(self, f"_{kind}", None) if kind.isidentifier() and not kind.startswith("_") else None
        try:
            if maker is not None:
                return maker(depth, *rest)
            if self.handle is not None:
                return self.handle(form)
        except WireError:
            raise
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError, binascii.Error, ArithmeticError) as error:
            raise WireError(f"an answer of the wrong form ({type(error).__name__})") from None
        raise WireError("an answer of an unknown kind")

    def _int(self, depth, digits):
        if not isinstance(digits, str) or len(digits) > MOST_DIGITS:
            raise WireError("a number that is too large")
        return int(digits, 16)

    def _float(self, depth, text):
        return float.fromhex(_short(text))

    def _complex(self, depth, real, imaginary):
        return complex(float.fromhex(_short(real)), float.fromhex(_short(imaginary)))

    def _fraction(self, depth, text):
        match = re.fullmatch(r"(-?\d+)(?:/(\d+))?", _short(text), re.ASCII)
        if not match or not int(match[2] or 1):
            raise WireError("a fraction of the wrong form")
        return Fraction(int(match[1]), int(match[2] or 1))

    def _decimal(self, depth, text):
        value = Decimal(_short(text))
        if value.is_finite() and abs(value.adjusted()) > LARGEST_EXPONENT:  # it would take for ever to compare it with another number
            raise WireError("a decimal number that is too large or too small")
        return value

    def _ellipsis(self, depth):
        return Ellipsis

    def _list(self, depth, items):
        return [self.value(one, depth + 1) for one in _a_list(items)]

    def _tuple(self, depth, items):
        return tuple(self._list(depth, items))

    def _set(self, depth, items):
        return set(self._list(depth, items))

    def _dict(self, depth, items):
        return {self.value(key, depth + 1): self.value(one, depth + 1) for key, one in _a_list(items)}

    def _bytes(self, depth, data):
        return base64.b64decode(data, validate=True)

    def _scalar(self, depth, dtype, data):
        return self._array(depth, dtype, [], "C", True, data)[()]

    def _array(self, depth, dtype, shape, order, writeable, data):
        flat = _flat(dtype, shape, data)
        if order == "F":
            array = flat.reshape(shape[::-1]).T
        elif order == "strided" and shape and shape[-1]:
            array = np.repeat(flat.reshape(shape), 2, axis=-1)[..., ::2]
        else:
            array = flat.reshape(shape)
        if writeable is not True:
            array.flags.writeable = False
        return array

    def _tensor(self, depth, dtype, shape, requires_grad, data):
        import torch

        array = _flat(dtype, shape, data).reshape(shape)
        tensor = torch.from_numpy(array.astype(array.dtype.newbyteorder("=")))
        return tensor.requires_grad_() if requires_grad is True and tensor.is_floating_point() else tensor

    def _texts(self, depth, shape, texts):
        return np.array([_short(text, 1000) for text in _a_list(texts)], dtype=str).reshape(_shape(shape))

    def _objects(self, depth, shape, items):
        values = self._list(depth, items)
        array = np.empty(len(values), dtype=object)
        array[:] = values
        return array.reshape(_shape(shape))

    def _foreign(self, depth, kind, text):
        return Foreign.of(_short(kind), _short(text, 1000))


def _flat(dtype, shape, data):
    """Bytes as a row of numbers that can be written to, once type, shape and length fit together."""
    if not isinstance(dtype, str) or not NUMBERS.fullmatch(dtype) or not isinstance(data, str):
        raise WireError("an array of the wrong form")
    number = np.dtype(dtype)
    if math.prod(_shape(shape)) * number.itemsize != len(data) * 3 // 4 - data[-2:].count("="):
        raise WireError("an array whose numbers do not fill its shape")
    flat = np.frombuffer(bytearray(base64.b64decode(data, validate=True)), dtype=number)
    if number.kind == "b":
        flat = flat.view(np.uint8) != 0  # a byte of 2 would be neither True nor False
    return flat


def _shape(shape):
    if not isinstance(shape, list) or len(shape) > 16 or not all(type(size) is int and 0 <= size < 1 << 40 for size in shape):
        raise WireError("an array of impossible shape")
    return shape


def _a_list(items):
    if not isinstance(items, list):
        raise WireError("an answer of the wrong form")
    return items


def _short(text, most=200):
    if not isinstance(text, str) or len(text) > most:
        raise WireError("a text that is too long")
    return text


class Foreign:
    """Stands for an object that stays where it is: its type's name and how it shows itself are all that is known of it."""

    def __init__(self, text=""):
        self.text = text

    def __repr__(self):
        return self.text or f"a {type(self).__name__}"

    @classmethod
    def of(cls, kind, *arguments):
        """An instance whose type has a certain name."""
        return type(kind if kind.isidentifier() else cls.__name__, (cls,), {})(*arguments)
