"""Measure all rooms and write the page of benchmarks: `make bench`."""

from benchmarks.table import PAGE, page

ROOMS = ("convolution", "training", "grading", "waiting")

PAGE.write_text(page([f"benchmarks.{name}" for name in ROOMS]), encoding="utf-8")
print(f"wrote {PAGE.name}")
