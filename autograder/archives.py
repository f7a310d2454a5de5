"""Zips of hand-ins, which may hold anything: what is in one, and how it is unpacked without harm.

A zip is read with bounds on everything that it merely claims: its list of files, their sizes, their names, their number. Only ordinary
files are unpacked, one student's at a time, into a folder that is given; whatever is left out has its reason.
"""

import errno
import io
import os
import re
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from .course import CourseError
from .notebooks import LARGEST_FILE

LARGEST_INDEX = 8_000_000  # bytes; a list of 20 000 files takes 3 MB
MOST_MEMBERS = 20_000
MOST_FILES = 200  # of one student
MOST_BYTES = 200_000_000  # of one student
MOST_BYTES_IN_ALL, MOST_TIMES = 1_000_000_000, 100  # a class's notebooks shrink well when packed, but not a thousandfold
DEEPEST = 8
LONGEST_NAME = 120  # letters of a file's or folder's name
READ_AT_ONCE = 1 << 20
# Names that Windows keeps for devices, and letters that it has no names with: https://learn.microsoft.com/windows/win32/fileio/naming-a-file
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
# what systems and editors leave behind everywhere: no student's work, and not worth a line
CLUTTER = {"__MACOSX", "__pycache__", ".DS_Store", ".ipynb_checkpoints", "Thumbs.db", "desktop.ini"}
UNFIT = '<>:"|?*`'
DAMAGES = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, OverflowError, RuntimeError, NotImplementedError)


class _Bounded(io.BufferedReader):
    """A file of which nobody reads more at once than a list of files may have: a zip says itself how long its list is."""

    def read(self, size=-1):
        data = super().read(LARGEST_INDEX + 1 if size is None or size < 0 else min(size, LARGEST_INDEX + 1))
        if len(data) > LARGEST_INDEX:
            raise zipfile.BadZipFile("its list of files is too long")
        return data


@dataclass
class Member:
    """A file in a zip that may be unpacked: its entry, and the parts of its path as they stand there."""

    info: zipfile.ZipInfo
    parts: tuple


class Archive:
    """A zip, open. Use it in a `with` statement.

    Parameters
    ----------
    path : path_like

    Attributes
    ----------
    members : list of Member
        What may be unpacked.
    folders : list of tuple of str
        The paths of folders that have an entry of their own, as those with nothing in them do.
    left_out : list of (str, str)
        Name and reason of every other file.

    Raises
    ------
    CourseError
        When the file is no zip, or one that is not to be opened at all.
    """

    def __init__(self, path):
        self.path = Path(path)
        self._file = None
        try:
            self._file = _Bounded(io.FileIO(self.path))
            self._zip = zipfile.ZipFile(self._file)
            infos = self._zip.infolist()
        except DAMAGES as problem:
            self.close()
            raise CourseError(
                f"{path} cannot be read as a zip ({problem}). Is the download complete? Fetch it again, or unpack it and give the folder."
            ) from problem
        if len(infos) > MOST_MEMBERS:
            self.close()
            raise CourseError(f"{path} holds {len(infos):,} files, more than {MOST_MEMBERS:,}: nothing was unpacked. Is it the right zip?")
        size = self.path.stat().st_size
        self._changed = self.path.stat().st_mtime
        self._allowance = MOST_BYTES_IN_ALL + MOST_TIMES * size
        self.members, self.folders, self.left_out = [], [], []
        for info in infos:
            self._sort(info)

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.close()

    def close(self):
        """Close the file."""
        if self._file:
            self._file.close()

    def _sort(self, info):
        name = _decoded(info)
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if any(map(is_clutter, parts)):
            return
        is_folder = info.orig_filename.endswith("/")
        fault = _fault(info, name, parts)
        if is_folder and not fault and not parts[0].startswith("."):
            self.folders.append(tuple(parts))
        if is_folder:
            return
        if fault:
            self.left_out.append((name, fault))
        else:
            self.members.append(Member(info, tuple(parts)))

    def unpack(self, members, folder):
        """Unpack one student's files into an empty folder.

        Parameters
        ----------
        members : list of (Member, tuple of str)
            Each with the parts of the path that it shall have below the folder, as far as a disk takes them.
        folder : pathlib.Path

        Returns
        -------
        notes : list of str
            What was left out, cut or renamed, and why.
        """
        notes, left = [], MOST_BYTES
        notebooks_first = sorted(members, key=lambda one: ".ipynb" not in one[1][-1].lower())
        for member, parts in notebooks_first[:MOST_FILES]:
            left -= self._unpack_one(member.info, parts, folder, left, notes)
        if len(members) > MOST_FILES:
            notes.append(
                f"{len(members)} files: {len(members) - MOST_FILES} of them are left out, {MOST_FILES} is the most for one hand-in"
            )
        return notes

    def _unpack_one(self, info, parts, folder, left, notes):
        """Unpack a file; return how many bytes it took."""
        told, limit = printable("/".join(parts)), min(LARGEST_FILE + 1, left, self._allowance)
        target = _vacant(folder.joinpath(*map(fit_name, parts)))
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch(exist_ok=False)
        except OSError:
            notes.append(f"{told} cannot be written beside the others (a file bears its folder's name, or its path is too long): left out")
            return 0
        try:
            with open(target, "wb") as file, self._zip.open(info) as source:
                size, more = _copy(source, file, limit)
        except DAMAGES as problem:
            if getattr(problem, "errno", None) in (errno.ENOSPC, errno.EDQUOT):  # the fault is not the zip's
                raise
            target.unlink()
            notes.append(f"{told} is damaged in the zip: left out; fetch the zip again")
            return 0
        self._allowance -= size
        if more and limit <= LARGEST_FILE:
            target.unlink()
            whole = "one hand-in may have" if limit == left else "this zip may have in all"
            notes.append(f"{told} is left out: with it there would be more than {whole} once unpacked")
            return 0
        if more or size > LARGEST_FILE:
            notes.append(f"{told} is larger than {LARGEST_FILE // 1_000_000} MB: only its beginning is kept")
        if target.relative_to(folder).parts != tuple(parts):
            notes.append(f"{told} is kept as {printable(target.relative_to(folder))}")
        when = self.time(info)
        os.utime(target, (when, when))
        return size

    def time(self, info):
        """A file's time, for which a zip has no time zone: taken as this machine's."""
        try:
            return datetime(*info.date_time).timestamp()
        except (ValueError, OverflowError, OSError):
            return self._changed


def _copy(source, target, limit):
    """Copy at most `limit` bytes. Returns how many they were, and whether there is more."""
    size = 0
    while size < limit:
        chunk = source.read(min(READ_AT_ONCE, limit - size))
        if not chunk:
            return size, False
        target.write(chunk)
        size += len(chunk)
    return size, bool(source.read(1))


def _decoded(info):
    """A member's name. Without the flag for UTF-8 a zip's names are in code page 437, but many programs write UTF-8 all the same."""
    if info.flag_bits & 0x800:
        return info.orig_filename
    try:
        return info.orig_filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.orig_filename


def _fault(info, name, parts):
    """Why a member must not be unpacked, or None."""
    kind = info.external_attr >> 16 & 0o170000
    faults = (
        (not parts, "it has no name"),
        ("\0" in name, "its name holds a zero byte"),
        ("\\" in name, "its name holds a backslash"),
        (name.startswith("/") or re.match(r"[A-Za-z]:", name), "its path is absolute"),
        (".." in parts, "its path leads out of its folder"),
        (len(parts) > DEEPEST + 1, f"it lies more than {DEEPEST} folders deep"),
        (kind == stat.S_IFLNK, "it is a link"),
        (kind not in (0, stat.S_IFDIR if info.orig_filename.endswith("/") else stat.S_IFREG), "it is no ordinary file"),
        (info.flag_bits & 0x41, "it is encrypted"),
        # bzip2 and LZMA may ask for gigabytes of memory; no learning platform uses them
        (info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED), "it is compressed in a way that is not read here"),
    )
    return next((reason for found, reason in faults if found), None)


def is_clutter(name):
    """Is this what systems and editors leave behind everywhere, and no student's work?"""
    return name in CLUTTER or name.startswith("._")


def fit_name(name):
    """A name that any disk takes and no terminal stumbles over: the same one, where it is such a name already."""
    name = "".join(letter if letter.isprintable() and letter not in UNFIT else "_" for letter in name)
    stem, dot, suffix = name.rpartition(".")
    if not stem or len(suffix) > 15:
        stem, dot, suffix = name, "", ""
    stem = stem[: LONGEST_NAME - len(dot + suffix)]
    while len((stem + dot + suffix).encode()) > 2 * LONGEST_NAME:
        stem = stem[:-1]
    name = (stem + dot + suffix).rstrip(" .") or "_"
    return f"_{name}" if RESERVED.fullmatch(name) else name


def _vacant(path):
    """The path, or one like it that is still free."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.stem} ({number}){path.suffix}")
    return free


def printable(name):
    """A name fit for a terminal and a sentence: nothing in it that is not printable."""
    return "".join(letter if letter.isprintable() and letter != "`" else "?" for letter in str(name))
