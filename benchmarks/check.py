"""How long `check` takes for a right and for a wrong answer to each exercise in which code is written: python -m benchmarks.check."""

import statistics
import time

from course_lib.checks import EXERCISES, CodeExercise, check

REPEATS = 15


def milliseconds(name, answer):
    """Median and largest time of a check, in milliseconds, with fresh random cases each time."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        check(name, answer)
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times), max(times)


def wrong(*args, **kwargs):
    """An answer that no misconception explains, so that all of them are tried."""
    return 0.123


def main():
    """Print the table."""
    print(f"{'':16} {'right answer':>20} {'nameless wrong one':>20}")
    print(f"{'exercise':16} {'median ms':>10} {'max ms':>9} {'median ms':>10} {'max ms':>9}")
    for name, exercise in EXERCISES.items():
        if isinstance(exercise, CodeExercise):
            figures = (*milliseconds(name, exercise.reference), *milliseconds(name, wrong))
            print(f"{name:16} {figures[0]:10.1f} {figures[1]:9.1f} {figures[2]:10.1f} {figures[3]:9.1f}")


if __name__ == "__main__":
    main()
