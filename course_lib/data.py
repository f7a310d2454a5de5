"""The course's pictures: MNIST, which ships with it, and a photograph, which ships with matplotlib.

The MNIST files lie in `data/MNIST/raw`, compressed; the first use unpacks them beside themselves, where
`torchvision.datasets.MNIST(root=DATA, download=False)` finds them too. What is read is checked, every time, against the
SHA-256 that the file must have, and a file appears under its name only when it is whole: no lesson ever computes with half a data set.
"""

import gzip
import hashlib
import importlib.util
import io
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

DATA = Path(__file__).resolve().parent.parent / "data"
"""The folder with the data: the `root` that torchvision wants."""


class DataError(OSError):
    """A data file is missing, damaged, or cannot be written. The message names it, and the command that repairs it."""


class _File(NamedTuple):
    size: int
    sha256: str


# The same checksums stand in data/MNIST/raw/SHA256SUMS and SHA256SUMS.raw, for `sha256sum -c`.
_PACKED = {  # each with ".gz" after its name
    "train-images-idx3-ubyte": _File(9719438, "0b367032e93c5d0cea0925647cfdb18614af8ee15f83e6f2fc2ad904a6835971"),
    "train-labels-idx1-ubyte": _File(28857, "1787548bbe0bff1ec2ecdc0ef292b02df999e2d1a6002d27500982c652b17203"),
    "t10k-images-idx3-ubyte": _File(1616508, "1a1a05eab793c14bb050b398624a11b0ffd1a2953baed553b1b9bd079e2a20be"),
    "t10k-labels-idx1-ubyte": _File(4517, "b91679a0acfe4ba0e50a2437a903084cba1f5f92592b016a25a7dfd00455798b"),
}
_RAW = {
    "train-images-idx3-ubyte": _File(47040016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    "train-labels-idx1-ubyte": _File(60008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    "t10k-images-idx3-ubyte": _File(7840016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    "t10k-labels-idx1-ubyte": _File(10008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
}
_PHOTO = _File(61306, "a8ca6d734765703b09728ab47fe59f473d93ae3967fc24c7c0288c3c7adb7130")

_UNPACK_AGAIN = "make data"
_FETCH_AGAIN = "git checkout -- data/MNIST/raw (in a clone), or unzip the course again"
_INSTALL_AGAIN = "rm -r .venv && make lab (the photograph comes with matplotlib)"


def load_mnist(split, root=DATA):
    """Return the images and labels of one half of MNIST.

    Parameters
    ----------
    split : {"train", "test"}
        60,000 or 10,000 images.
    root : path, optional
        The folder that holds `MNIST/raw`.

    Returns
    -------
    images : ndarray of uint8, (N, 28, 28)
        Ink on paper: 0 is background, 255 the middle of a stroke.
    labels : ndarray of int64, (N,)
        The digits, 0 to 9.

    Raises
    ------
    DataError
        When a file is missing or damaged, or there is no room to unpack it.
    ValueError
        When there is no such split.
    """
    prefix = {"train": "train", "test": "t10k"}.get(split) if isinstance(split, str) else None
    if prefix is None:
        raise ValueError(f'split must be "train" or "test", got {split!r}')
    folder = Path(root) / "MNIST" / "raw"
    if not all((folder / name).exists() for name in _RAW):  # all four, because torchvision wants them all
        unpack_mnist(root=root)
    images, labels = (_read_raw(folder / f"{prefix}-{part}-ubyte") for part in ("images-idx3", "labels-idx1"))
    return images[16:].reshape(-1, 28, 28), labels[8:].astype(np.int64)  # what is skipped are the files' own headers


def unpack_mnist(force=False, root=DATA):
    """Unpack MNIST where `load_mnist` and torchvision look for it, and return the paths that were written.

    A file is written under another name, checked, and then renamed: it is never seen half-written, neither by a process
    that unpacks at the same time nor after one that was killed.

    Parameters
    ----------
    force : bool
        Unpack every file. Otherwise those that are missing or damaged.
    root : path, optional
        The folder that holds `MNIST/raw`.

    Raises
    ------
    DataError
        When a compressed file is missing or damaged, or there is no room or no right to write.
    """
    folder = Path(root) / "MNIST" / "raw"
    _remove_leftovers(folder)
    return [_unpack(folder / name) for name in _RAW if force or not _is_whole(folder / name)]


def load_photo(color=False):
    """Return a photograph: Grace Hopper, computer scientist and rear admiral, 600 pixels high and 512 wide.

    Parameters
    ----------
    color : bool
        The three colors, or (by default) their luma, 0.299 R + 0.587 G + 0.114 B.

    Returns
    -------
    ndarray of uint8, (600, 512) or (600, 512, 3)
        Channels come last, as matplotlib shows them. `photo.transpose(2, 0, 1)` is the (C, H, W) of a convolution.

    Raises
    ------
    DataError
        When the file, which comes with matplotlib, is missing or not the one that the lessons were written for.
    """
    from PIL import Image

    matplotlib = importlib.util.find_spec("matplotlib")  # where it is, without the second that importing it takes
    if matplotlib is None:
        raise DataError(f"the photograph comes with matplotlib, which is not installed. Repair: {_INSTALL_AGAIN}")
    path = Path(matplotlib.origin).parent / "mpl-data" / "sample_data" / "grace_hopper.jpg"
    jpeg = _read(path, _PHOTO, _INSTALL_AGAIN)
    with Image.open(io.BytesIO(jpeg)) as picture:
        return np.array(picture.convert("RGB" if color else "L"))


def _read(path, wanted, repair):
    """Return a file's bytes as uint8, after checking that they are the `wanted` ones."""
    try:
        content = np.fromfile(path, np.uint8)
    except FileNotFoundError:
        raise DataError(f"{path} is missing: expected {_described(wanted)}.\nRepair: {repair}") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): expected {_described(wanted)}.\nRepair: {repair}") from error
    found = _File(content.size, hashlib.sha256(content).hexdigest())
    if found != wanted:
        raise DataError(f"{path} is damaged: expected {_described(wanted)}, found {_described(found)}.\nRepair: {repair}")
    return content


def _described(file):
    return f"{file.size:,} bytes with SHA-256 {file.sha256}"


def _read_raw(path):
    return _read(path, _RAW[path.name], _UNPACK_AGAIN)


def _is_whole(path):
    try:
        _read_raw(path)
    except DataError:
        return False
    return True


def _unpack(path):
    """Unpack the .gz beside `path` into `path`, all or nothing."""
    packed = path.with_name(f"{path.name}.gz")
    content = gzip.decompress(_read(packed, _PACKED[path.name], _FETCH_AGAIN))
    temporary = None
    try:
        # In the same folder, so that the renaming is atomic; its name ends so that git ignores it.
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".unpacking-", suffix=f".{path.name}", delete=False) as file:
            temporary = Path(file.name)
            file.write(content)
        shutil.copymode(packed, temporary)  # temporary files are private, the data is everyone's
        os.replace(temporary, path)
    except OSError as error:
        raise DataError(
            f"{path} could not be unpacked ({error.strerror}): it takes {len(content):,} bytes in a folder that can be written to.\n"
            f"Repair: free some space, or the right to write to {path.parent}, then {_UNPACK_AGAIN}"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)  # gone already, if it was renamed
    return path


def _remove_leftovers(folder):
    """Remove what killed processes left half-written; ten minutes are more than a living one takes."""
    for leftover in folder.glob(".unpacking-*"):
        try:
            if time.time() - leftover.stat().st_mtime > 600:
                leftover.unlink()
        except OSError:
            continue  # another process was faster, or the folder is read-only: nothing depends on it
