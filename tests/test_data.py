"""The data: what is loaded, and what happens when files are missing, damaged, or fought over."""

import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torchvision
from PIL import Image

import course_lib.data
from course_lib.data import DATA, DataError, load_mnist, load_photo, unpack_mnist

RAW_NAMES = [f"{half}-{part}-ubyte" for half in ("train", "t10k") for part in ("images-idx3", "labels-idx1")]


@pytest.fixture
def root(tmp_path):
    """A data folder as it comes with the course: compressed files only. They are links: tests replace and never change them."""
    (tmp_path / "MNIST" / "raw").mkdir(parents=True)
    for name in RAW_NAMES:
        raw(tmp_path, f"{name}.gz").symlink_to(DATA / "MNIST" / "raw" / f"{name}.gz")
    return tmp_path


@pytest.fixture
def unpacked(root):
    """A data folder after its first use, of links too."""
    unpack_mnist()
    for name in RAW_NAMES:
        raw(root, name).symlink_to(DATA / "MNIST" / "raw" / name)
    return root


def raw(root, name="t10k-labels-idx1-ubyte"):
    return root / "MNIST" / "raw" / name


def names(root):
    """Names of the files that are not compressed."""
    return sorted(path.name for path in (root / "MNIST" / "raw").iterdir() if path.suffix != ".gz")


def replace(path, content):
    path.unlink(missing_ok=True)
    path.write_bytes(content)


# --- what is loaded ---


@pytest.mark.parametrize(("split", "count"), [("train", 60_000), ("test", 10_000)])
def test_mnist_is_what_torchvision_reads(split, count):
    images, labels = load_mnist(split)
    assert (images.shape, images.dtype) == ((count, 28, 28), np.uint8)
    assert (labels.shape, labels.dtype) == ((count,), np.int64)
    theirs = torchvision.datasets.MNIST(root=DATA, train=split == "train", download=False)
    np.testing.assert_array_equal(images, theirs.data.numpy())
    np.testing.assert_array_equal(labels, theirs.targets.numpy())


def test_the_digit_of_exercise_8_1():
    images, labels = load_mnist("train")
    assert labels[7] == 3
    assert np.bincount(labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]


def test_each_call_gives_arrays_of_its_own():
    first, _ = load_mnist("test")
    first[:] = 0
    second, _ = load_mnist("test")
    assert second.any()


@pytest.mark.parametrize("split", ["valid", "Train", None, 0, ["train"]])
def test_unknown_split_is_refused(split):
    with pytest.raises(ValueError, match='split must be "train" or "test", got'):
        load_mnist(split)


def test_published_checksums_agree_with_the_code():
    for listing, suffix, expected in [("SHA256SUMS", ".gz", course_lib.data._PACKED), ("SHA256SUMS.raw", "", course_lib.data._RAW)]:
        lines = (DATA / "MNIST" / "raw" / listing).read_text().splitlines()
        published = {name: digest for digest, name in map(str.split, lines)}
        assert published == {f"{name}{suffix}": file.sha256 for name, file in expected.items()}


def test_loading_costs_little_more_than_its_checksum():
    def seconds(action):
        times = []
        for _ in range(4):
            start = time.perf_counter()
            action()
            times.append(time.perf_counter() - start)
        return min(times)

    path = raw(DATA, "train-images-idx3-ubyte")
    unpack_mnist()
    assert seconds(lambda: load_mnist("train")) < 2 * seconds(lambda: hashlib.sha256(path.read_bytes()).digest())


def test_photo():
    photo, colors = load_photo(), load_photo(color=True)
    assert (photo.shape, photo.dtype) == ((600, 512), np.uint8)
    assert (colors.shape, colors.dtype) == ((600, 512, 3), np.uint8)
    luma = colors @ [0.299, 0.587, 0.114]
    assert np.abs(photo - luma).max() <= 1
    assert photo.flags.writeable


def test_photo_is_the_one_that_matplotlib_ships():
    import matplotlib.cbook

    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file, Image.open(file) as picture:
        np.testing.assert_array_equal(load_photo(color=True), np.array(picture))


# --- unpacking ---


def test_first_use_unpacks_for_torchvision_too(root):
    load_mnist("test", root=root)
    assert names(root) == sorted(RAW_NAMES)
    assert len(torchvision.datasets.MNIST(root=root, train=True, download=False)) == 60_000


def test_later_uses_write_nothing(unpacked):
    load_mnist("test", root=unpacked)
    assert unpack_mnist(root=unpacked) == []
    assert all(raw(unpacked, name).is_symlink() for name in RAW_NAMES)


def test_unpacking_repairs_what_is_damaged_and_nothing_else(unpacked):
    replace(raw(unpacked), b"damaged")
    assert unpack_mnist(root=unpacked) == [raw(unpacked)]
    assert len(load_mnist("test", root=unpacked)[1]) == 10_000


def test_force_unpacks_everything_for_all_who_may_read_the_compressed_files(unpacked):
    assert unpack_mnist(force=True, root=unpacked) == [raw(unpacked, name) for name in RAW_NAMES]
    for name in RAW_NAMES:
        assert raw(unpacked, name).lstat().st_mode == raw(unpacked, f"{name}.gz").stat().st_mode


def test_two_processes_at_once(root):
    code = f"from course_lib.data import load_mnist; print(load_mnist('test', root={str(root)!r})[1].sum())"
    processes = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    answers = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert answers == ["44434"] * 3
    assert names(root) == sorted(RAW_NAMES)


def test_a_killed_process_leaves_nothing_that_is_read(root):
    code = (
        "import os, signal, course_lib.data as data\n"
        "os.replace = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"data.load_mnist('test', root={str(root)!r})"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == -9
    (leftover,) = names(root)
    assert leftover.startswith(".unpacking-")
    long_ago = time.time() - 3600
    os.utime(raw(root, leftover), (long_ago, long_ago))
    assert load_mnist("test", root=root)[1].sum() == 44434
    assert names(root) == sorted(RAW_NAMES)  # the leftover is gone


def test_git_ignores_what_unpacking_writes():
    raw_folder = DATA / "MNIST" / "raw"
    paths = [raw_folder / "t10k-labels-idx1-ubyte", raw_folder / ".unpacking-abc.t10k-labels-idx1-ubyte"]
    result = subprocess.run(["git", "check-ignore", *paths], cwd=DATA, capture_output=True, text=True)
    assert len(result.stdout.splitlines()) == 2, result.stderr


def test_a_full_disk_is_said_and_leaves_nothing(root):
    code = (
        "import resource, course_lib.data as data\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))\n"  # a file can grow no further, as on a full disk
        f"try: data.load_mnist('test', root={str(root)!r})\n"
        "except data.DataError as error: print(error)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60).stdout
    assert "train-images-idx3-ubyte could not be unpacked (File too large): it takes 47,040,016 bytes" in said
    assert "then make data" in said
    assert names(root) == []


# --- damage ---


@pytest.mark.parametrize(
    "damage",
    [lambda content: b"", lambda content: content[:5000], lambda content: content + b"\0", lambda content: b"\1" + content[1:]],
    ids=["emptied", "cut off", "too long", "one byte changed"],
)
def test_damaged_unpacked_file(unpacked, damage):
    content = raw(unpacked).read_bytes()
    damaged = damage(content)
    replace(raw(unpacked), damaged)
    with pytest.raises(DataError) as caught:
        load_mnist("test", root=unpacked)
    said = str(caught.value)
    assert said.startswith(f"{raw(unpacked)} is damaged: expected 10,008 bytes with SHA-256 {hashlib.sha256(content).hexdigest()}")
    assert f"found {len(damaged):,} bytes with SHA-256 {hashlib.sha256(damaged).hexdigest()}" in said
    assert said.endswith("Repair: make data")


@pytest.mark.parametrize(
    "damage",
    [lambda packed: packed[:3000], lambda packed: gzip.compress(b"another file"), lambda packed: b"<html>404</html>"],
    ids=["cut off", "another", "no gzip"],
)
def test_damaged_compressed_file(unpacked, damage):
    raw(unpacked).unlink()
    packed = raw(unpacked, "t10k-labels-idx1-ubyte.gz")
    replace(packed, damage(packed.read_bytes()))
    with pytest.raises(DataError) as caught:
        load_mnist("test", root=unpacked)
    said = str(caught.value)
    assert said.startswith(f"{packed} is damaged: expected 4,517 bytes with SHA-256 b91679a0")
    assert said.endswith("Repair: git checkout -- data/MNIST/raw (in a clone), or unzip the course again")
    assert not raw(unpacked).exists()


def test_missing_compressed_file(root):
    raw(root, "train-images-idx3-ubyte.gz").unlink()
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz is missing: expected 9,719,438 bytes") as caught:
        load_mnist("train", root=root)
    assert "git checkout -- data/MNIST/raw" in str(caught.value)


def test_missing_folder(tmp_path):
    with pytest.raises(DataError, match="is missing"):
        load_mnist("train", root=tmp_path / "nowhere")


def test_a_folder_in_the_place_of_a_file(unpacked):
    raw(unpacked).unlink()
    raw(unpacked).mkdir()
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte cannot be read \(Is a directory\): expected 10,008 bytes"):
        load_mnist("test", root=unpacked)


@pytest.fixture
def matplotlib_elsewhere(tmp_path, monkeypatch):
    """A copy of the folder that holds the photograph, found in the place of matplotlib's own."""
    package = tmp_path / "matplotlib"
    source = Path(course_lib.data.importlib.util.find_spec("matplotlib").origin).parent
    copy = package / "mpl-data" / "sample_data" / "grace_hopper.jpg"
    copy.parent.mkdir(parents=True)
    shutil.copy(source / "mpl-data" / "sample_data" / "grace_hopper.jpg", copy)
    (package / "__init__.py").touch()
    monkeypatch.delitem(sys.modules, "matplotlib", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    return copy


def test_damaged_photo(matplotlib_elsewhere):
    load_photo()
    matplotlib_elsewhere.write_bytes(matplotlib_elsewhere.read_bytes()[:30_000])
    with pytest.raises(DataError, match=r"grace_hopper\.jpg is damaged: expected 61,306 bytes .* found 30,000 bytes") as caught:
        load_photo()
    assert "rm -r .venv && make lab" in str(caught.value)


def test_missing_photo(matplotlib_elsewhere):
    matplotlib_elsewhere.unlink()
    with pytest.raises(DataError, match=r"grace_hopper\.jpg is missing"):
        load_photo()
