"""Every item that the course must contain is where `coverage/` says: one file a lesson, one entry an item.

An entry tells the item in a few words (`says`), the cell that carries it, and what that cell must therefore contain (`shows`).
"""

import tomllib
from pathlib import Path

import pytest
from lessons import SOLUTIONS, Lesson

LESSONS = {
    path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted((Path(__file__).parent / "coverage").glob("*.toml"))
}
ITEMS = [pytest.param(name, item, id=f"{name}: {item['says']}") for name, listed in LESSONS.items() for item in listed["item"]]


def test_every_lesson_lists_its_items():
    assert list(LESSONS) == sorted(folder.name for folder in SOLUTIONS.iterdir() if folder.is_dir())


@pytest.mark.parametrize(("name", "item"), ITEMS)
def test_the_item_is_where_the_list_says(name, item):
    cells = Lesson(name).cells
    assert item["cell"] in cells, f"{name} has no cell {item['cell']!r}"
    source = " ".join(cells[item["cell"]].source.split())
    missing = [text for text in item["shows"] if " ".join(text.split()) not in source]
    assert item["shows"]
    assert not missing


def test_no_item_is_listed_twice():
    said = [item["says"] for listed in LESSONS.values() for item in listed["item"]]
    assert sorted(set(said)) == sorted(said)
