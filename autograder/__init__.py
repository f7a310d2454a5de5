"""The instructor's side of the course: release, collect, grade, return feedback. Start with `python -m autograder --help`."""
