"""Zips may hold anything: what is unpacked lies where it should, and what is not has its reason."""

import io
import os
import stat
import struct
import zipfile
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograder import archives
from autograder.archives import Archive, fit_name
from autograder.course import CourseError


def zip_of(path, files, compression=zipfile.ZIP_DEFLATED):
    """A zip of (name or ZipInfo, bytes) pairs, in order; a name may come twice."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in files:
            archive.writestr(name, data, compression)
    return path


def entry(name, **changes):
    info = zipfile.ZipInfo(name)
    for key, value in changes.items():
        setattr(info, key, value)
    return info


def patched(path, old, new):
    """A zip with some of its bytes changed, all of them wherever they are."""
    assert old in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(old, new))
    return path


def in_central_directory(path, offset, layout, value):
    """A zip that says something else about its first member: in its central directory, at an offset of the member's record there."""
    data = bytearray(path.read_bytes())
    struct.pack_into(layout, data, data.index(b"PK\1\2") + offset, value)
    path.write_bytes(data)
    return path


def unpacked(path, folder):
    """Everything in a zip, unpacked: contents by path, notes, and what was left out."""
    folder.mkdir(exist_ok=True)
    with Archive(path) as archive:
        notes = archive.unpack([(member, member.parts) for member in archive.members], folder)
        found = {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
        return found, notes, archive.left_out


@pytest.fixture
def path(tmp_path):
    return tmp_path / "hand-ins.zip"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "outer" / "inner"


@pytest.fixture(autouse=True)
def _outer(tmp_path):
    (tmp_path / "outer").mkdir()


def test_ordinary_files_come_out_as_they_are(path, folder):
    files = [("a/b c.ipynb", b"one"), ("a/é.txt", b"two"), ("a/", b""), ("empty", b"")]
    assert unpacked(zip_of(path, files), folder) == ({"a/b c.ipynb": b"one", "a/é.txt": b"two", "empty": b""}, [], [])


def test_a_file_has_the_time_that_the_zip_says(path, folder):
    unpacked(zip_of(path, [(entry("a", date_time=(2020, 5, 4, 3, 2, 0)), b"")]), folder)
    assert (folder / "a").stat().st_mtime == datetime(2020, 5, 4, 3, 2).timestamp()


def test_a_senseless_time_is_that_of_the_zip(path, folder):
    in_central_directory(zip_of(path, [("a", b"")]), 14, "<H", 0)  # the zeroth day of the zeroth month
    os.utime(path, (1_600_000_000, 1_600_000_000))
    unpacked(path, folder)
    assert (folder / "a").stat().st_mtime == 1_600_000_000


def test_what_systems_leave_behind_is_not_worth_a_line(path, folder):
    files = [("__MACOSX/a/._b.ipynb", b""), ("a/.DS_Store", b""), ("a/.ipynb_checkpoints/b.ipynb", b"old"), ("a/b.ipynb", b"new")]
    assert unpacked(zip_of(path, files), folder) == ({"a/b.ipynb": b"new"}, [], [])


# ---------------------------------------------------------------------------------------------------- members that are left out

LEFT_OUT = {
    "/etc/passwd": "its path is absolute",
    "//server/share": "its path is absolute",
    "C:/x.ipynb": "its path is absolute",
    "c:x.ipynb": "its path is absolute",
    "../x.ipynb": "its path leads out of its folder",
    "a/../../x.ipynb": "its path leads out of its folder",
    "a/b/..": "its path leads out of its folder",
    "..\\x.ipynb": "its name holds a backslash",
    "a\\x.ipynb": "its name holds a backslash",
    ".": "it has no name",
    "/".join("abcdefghij"): "it lies more than 8 folders deep",
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_a_path_that_is_none_is_left_out(path, folder, name):
    found, notes, left_out = unpacked(zip_of(path, [(name, b"evil"), ("good", b"good")]), folder)
    assert (found, notes, left_out) == ({"good": b"good"}, [], [(name, LEFT_OUT[name])])


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(stat.S_IFLNK, "it is a link")]
    + [(kind, "it is no ordinary file") for kind in (stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK, stat.S_IFDIR, 0o070000)],
)
def test_links_and_special_files_are_left_out(path, folder, kind, reason):
    member = entry("a/x.ipynb", external_attr=(kind | 0o777) << 16, create_system=3)
    assert unpacked(zip_of(path, [(member, b"/etc/passwd")]), folder) == ({}, [], [("a/x.ipynb", reason)])


def test_a_set_uid_file_is_an_ordinary_one(path, folder):
    unpacked(zip_of(path, [(entry("x", external_attr=(stat.S_IFREG | 0o4777) << 16), b"")]), folder)
    assert not (folder / "x").stat().st_mode & 0o7111


def test_an_encrypted_file_is_left_out(path, folder):
    in_central_directory(zip_of(path, [("x.ipynb", b"data")]), 8, "<H", 1)
    assert unpacked(path, folder) == ({}, [], [("x.ipynb", "it is encrypted")])


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_rare_compression_is_left_out(path, folder, method):
    zip_of(path, [("x.ipynb", b"data")], method)
    assert unpacked(path, folder) == ({}, [], [("x.ipynb", "it is compressed in a way that is not read here")])


def test_a_zero_byte_in_a_name_does_not_cut_it(path, folder):
    patched(zip_of(path, [("x.ipynb?.exe", b"data")]), b"x.ipynb?.exe", b"x.ipynb\0.exe")
    assert unpacked(path, folder) == ({}, [], [("x.ipynb\0.exe", "its name holds a zero byte")])


def test_a_damaged_file_is_left_out_and_the_rest_is_not(path, folder):
    data = os.urandom(1000)
    zip_of(path, [("bad.ipynb", data), ("good.ipynb", b"good")], zipfile.ZIP_STORED)
    patched(path, data, data[:-1] + bytes([data[-1] ^ 1]))
    assert unpacked(path, folder) == ({"good.ipynb": b"good"}, ["bad.ipynb is damaged in the zip: left out; fetch the zip again"], [])


@pytest.mark.parametrize(("offset", "layout", "value"), [(24, "<L", 10), (20, "<L", 3), (42, "<L", 2**32 - 2), (42, "<L", 7)])
def test_a_lie_about_size_or_place_is_a_damage(path, folder, offset, layout, value):
    in_central_directory(zip_of(path, [("a.ipynb", b"x" * 5000), ("b.ipynb", b"good")]), offset, layout, value)
    found, notes, _ = unpacked(path, folder)
    assert found == {"b.ipynb": b"good"}
    assert notes == ["a.ipynb is damaged in the zip: left out; fetch the zip again"]


def test_a_huge_size_that_is_only_claimed_costs_nothing(path, folder):
    in_central_directory(zip_of(path, [("a.ipynb", b"x" * 5000)]), 24, "<L", 2**32 - 2)
    found, _, _ = unpacked(path, folder)
    assert found in ({"a.ipynb": b"x" * 5000}, {})


# ---------------------------------------------------------------------------------------------------- bombs


def test_of_a_huge_file_the_beginning_is_kept(path, folder, monkeypatch):
    monkeypatch.setattr(archives, "LARGEST_FILE", 1000)
    found, notes, _ = unpacked(zip_of(path, [("a.ipynb", b"0" * 10**6), ("b.ipynb", b"good")]), folder)
    assert found == {"a.ipynb": b"0" * 1001, "b.ipynb": b"good"}  # one byte too many: whoever reads it sees that it is too large
    assert notes == ["a.ipynb is larger than 0 MB: only its beginning is kept"]


def test_all_files_of_a_student_together_are_bounded_and_notebooks_come_first(path, folder, monkeypatch):
    monkeypatch.setattr(archives, "MOST_BYTES", 1000)
    found, notes, _ = unpacked(zip_of(path, [("a.bin", b"0" * 900), ("b.bin", b"0" * 900), ("c.ipynb", b"good")]), folder)
    assert found == {"a.bin": b"0" * 900, "c.ipynb": b"good"}
    assert notes == ["b.bin is left out: with it there would be more than one hand-in may have once unpacked"]


def test_a_whole_zip_is_bounded_by_what_it_weighs(path, folder, monkeypatch):
    monkeypatch.setattr(archives, "MOST_BYTES_IN_ALL", 1_000_000)
    zip_of(path, [(f"{number}.ipynb", b"0" * 400_000) for number in range(8)])
    most = 1_000_000 + 100 * path.stat().st_size
    found, notes, _ = unpacked_for_many(path, folder)
    assert most - 400_000 < found <= most
    assert "more than this zip may have in all once unpacked" in notes[-1]


def unpacked_for_many(path, folder):
    """As for many students: file by file, each removed before the next one comes."""
    total, notes = 0, []
    with Archive(path) as archive:
        for number, member in enumerate(archive.members):
            place = folder.parent / str(number)
            notes += archive.unpack([(member, member.parts)], place)
            total += sum(file.stat().st_size for file in place.rglob("*"))
            for file in place.rglob("*"):
                file.unlink()
        return total, notes, archive.left_out


def test_the_number_of_a_students_files_is_bounded(path, folder):
    found, notes, _ = unpacked(zip_of(path, [(f"{number}.txt", b"") for number in range(250)] + [("z.ipynb", b"good")]), folder)
    assert len(found) == 200
    assert "z.ipynb" in found
    assert notes == ["251 files: 51 of them are left out, 200 is the most for one hand-in"]


def test_a_zip_with_too_many_files_is_not_opened(path, monkeypatch):
    monkeypatch.setattr(archives, "MOST_MEMBERS", 3)
    zip_of(path, [(str(number), b"") for number in range(4)])
    with pytest.raises(CourseError, match="holds 4 files, more than 3: nothing was unpacked"):
        Archive(path)


def test_a_list_of_files_that_is_too_long_is_not_read(path, monkeypatch):
    zip_of(path, [(letter * 60_000, b"") for letter in "xy"])
    monkeypatch.setattr(archives, "LARGEST_INDEX", 100_000)
    with pytest.raises(CourseError, match="list of files is too long"):
        Archive(path)


def test_overlapping_files_are_bounded_too(path, folder, monkeypatch):
    """Many entries that all mean the same compressed bytes."""
    monkeypatch.setattr(archives, "MOST_BYTES", 2_000_000)
    zip_of(path, [("0.ipynb", b"0" * 600_000)])
    data = path.read_bytes()
    start, end = data.index(b"PK\1\2"), data.index(b"PK\5\6")
    count = 100
    many = data[:start] + data[start:end] * count + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, (end - start) * count, start, 0)
    path.write_bytes(many)
    found, notes, _ = unpacked(path, folder)
    assert sum(map(len, found.values())) <= archives.MOST_BYTES
    assert any("more than one hand-in may have" in line or "is damaged" in line for line in notes)


# ---------------------------------------------------------------------------------------------------- what is no zip


def spoiled(data):
    last = data.rindex(b"PK\5\6")
    liar = bytearray(data)
    struct.pack_into("<L", liar, last + 12, 0xFFFFFFF0)  # the size of the list of files
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, 2**63, 1)
    return {
        "nothing": b"",
        "text": b"no zip at all",
        "cut off": data[: len(data) // 2],
        "without its end": data[:last],
        "a list of 4 GB": bytes(liar),
        "zip64 that lies elsewhere": data[:last] + locator + data[last:],
        "zip64 that is none": data[:last] + struct.pack("<4sLQL", b"PK\6\7", 0, 0, 1) + data[last:],
        "only an end": data[last:],
        "a future version": data.replace(b"PK\1\2\x14\x03\x14\0", b"PK\1\2\x14\x03\xff\0"),
    }


SPOILED = list(spoiled(zip_of(io.BytesIO(), [("a", b"1"), ("b", b"2")]).getvalue()))


@pytest.mark.parametrize("how", SPOILED)
def test_what_is_no_zip_is_refused_in_plain_words(path, how):
    path.write_bytes(spoiled(zip_of(path, [("a", b"1"), ("b", b"2")]).read_bytes())[how])
    with pytest.raises(CourseError, match="cannot be read as a zip") as caught:
        Archive(path)
    assert "Fetch it again, or unpack it and give the folder." in str(caught.value)


def test_a_name_that_is_not_in_the_encoding_it_claims_is_refused(path):
    patched(zip_of(path, [("éé.ipynb", b"")]), "éé".encode(), b"\xed\xa0\x80x")  # half a surrogate pair
    with pytest.raises(CourseError, match="cannot be read as a zip"):
        Archive(path)


def test_a_folder_or_a_missing_file_is_refused(tmp_path):
    for place in (tmp_path, tmp_path / "nowhere.zip"):
        with pytest.raises(CourseError, match="cannot be read as a zip"):
            Archive(place)


# ---------------------------------------------------------------------------------------------------- names


def test_names_in_two_old_encodings(path, folder):
    patched(zip_of(path, [("utf--8.ipynb", b"1"), ("cp437-.ipynb", b"2")]), b"utf--8", "caf\u00e98".encode())
    patched(path, b"cp437-", b"caf\x82--")
    assert set(unpacked(path, folder)[0]) == {"café8.ipynb", "café--.ipynb"}


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("01 numbers (2).ipynb", "01 numbers (2).ipynb"),
        ("李雷 zoë.ipynb", "李雷 zoë.ipynb"),
        ("a\x1b[31mb.ipynb", "a_[31mb.ipynb"),
        ("a\nb.ipynb", "a_b.ipynb"),
        ("abc\u202ebnypi.exe", "abc_bnypi.exe"),
        ("CON", "_CON"),
        ("nul.ipynb", "_nul.ipynb"),
        ("com1.tar.gz", "_com1.tar.gz"),
        ("console.ipynb", "console.ipynb"),
        ("name. .", "name"),
        ("...", "_"),
        ('a<b>:"|?*`.ipynb', "a_b_______.ipynb"),
        ("\ud800.ipynb", "_.ipynb"),
        ("x" * 60_000 + ".ipynb", "x" * 114 + ".ipynb"),
        ("x" * 60_000, "x" * 120),
        ("con" + " " * 200 + "x", "_con"),
        ("é" * 60_000 + ".ipynb", "é" * 114 + ".ipynb"),
        ("李" * 60_000 + ".ipynb", "李" * 78 + ".ipynb"),
        ("." + "x" * 60_000, "." + "x" * 119),
        (".ipynb", ".ipynb"),
    ],
)
def test_a_name_that_some_disk_does_not_take_is_changed_a_little(name, kept):
    assert fit_name(name) == kept


@given(st.text(st.characters(), min_size=1))
def test_any_name_becomes_one_that_every_disk_takes(name):
    kept = fit_name(name)
    assert not archives.RESERVED.fullmatch(kept)
    assert 0 < len(kept.encode()) <= 241
    assert kept.isprintable()
    assert not set(kept) & set('<>:"|?*`')
    assert kept not in (".", "..")


def test_a_changed_name_is_told(path, folder):
    found, notes, _ = unpacked(zip_of(path, [("a/x?\x1b.ipynb", b"")]), folder)
    assert set(found) == {"a/x__.ipynb"}
    assert notes == ["a/x??.ipynb is kept as a/x__.ipynb"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_of_one_name_are_both_kept(path, folder):
    found, notes, _ = unpacked(zip_of(path, [("a.ipynb", b"1"), ("a.ipynb", b"2"), ("a?.ipynb", b"3"), ("a_.ipynb", b"4")]), folder)
    assert found == {"a.ipynb": b"1", "a (2).ipynb": b"2", "a_.ipynb": b"3", "a_ (2).ipynb": b"4"}
    assert notes == ["a.ipynb is kept as a (2).ipynb", "a?.ipynb is kept as a_.ipynb", "a_.ipynb is kept as a_ (2).ipynb"]


@pytest.mark.parametrize("names", [("a", "a/b"), ("a/b", "a")])
def test_a_file_that_bears_a_folders_name_replaces_nothing(path, folder, names):
    found, notes, _ = unpacked(zip_of(path, [(name, name.encode()) for name in names]), folder)
    assert found[names[0]] == names[0].encode()
    assert len(found) + len(notes) >= 2


PARTS = st.sampled_from(
    ["..", ".", "", "a", "b.ipynb", "A", "~", "C:", "nul", "..\\..", "\\", "...", " ", "é", "\x1b[2J", "etc", "x" * 300]
)
NAMES = st.lists(PARTS | st.text(st.characters(exclude_categories=["Cs"]), max_size=6), min_size=1, max_size=12).map("/".join)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=150)
@given(files=st.lists(st.tuples(NAMES.filter(bool), st.binary(max_size=20)), min_size=1, max_size=8))
def test_whatever_the_names_nothing_is_written_outside_and_nothing_gets_lost(tmp_path_factory, files):
    top = tmp_path_factory.mktemp("top")
    before = set(Path("/").iterdir())
    path, folder = zip_of(top / "x.zip", files), top / "outer/inner"
    folder.mkdir(parents=True)
    with Archive(path) as archive:
        notes = archive.unpack([(member, member.parts) for member in archive.members], folder)
        kept = [file for file in folder.rglob("*") if file.is_file()]
        dismissed = len(archive.left_out) + sum("left out" in line for line in notes)
        assert dismissed + len(kept) == len(archive.left_out) + len(archive.members)
    assert {file for file in top.rglob("*") if file.is_file()} - set(kept) == {path}
    assert set(Path("/").iterdir()) == before
    assert not any(file.is_symlink() for file in top.rglob("*"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=6), cut=st.integers(0, 40))
def test_whatever_is_damaged_nothing_is_written_outside(tmp_path_factory, changes, cut):
    top = tmp_path_factory.mktemp("top")
    path = zip_of(top / "x.zip", [("a/b.ipynb", b"x" * 300), ("c/d.ipynb", b"y" * 30), ("é.txt", b"")])
    data = bytearray(path.read_bytes())
    for place, value in changes:
        data[place % len(data)] = value
    path.write_bytes(data[: len(data) - (cut if cut < 30 else 0)])
    try:
        found, _, _ = unpacked(path, top / "inner")
    except CourseError:
        found = {}
    assert len([file for file in top.rglob("*") if file.is_file()]) == len(found) + 1
