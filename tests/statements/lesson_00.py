"""The numbers in lesson 0."""

from course_lib import load_mnist
from course_lib.checks import EXERCISES

from . import Statements

LESSON = Statements("00_start_here")
LESSON.given("| numbers | 2 | 5 | 3 |", "| weights | 1 | 2 | −1 |")

_SLIP = next(slip.answer for slip in EXERCISES["0.1"].misconceptions if slip.slug == "weights-reversed")
LESSON.states("warm-up", "It hands in the answer {}.", _SLIP)
LESSON.states("read-the-card", "*how* somebody gets {}", _SLIP)

_IMAGES, _ = load_mnist("test")
LESSON.states("a-digit", "{} rows and {} columns", *_IMAGES.shape[1:])
LESSON.states("a-digit", "from {} (black) to {} (white)", _IMAGES.min(), _IMAGES.max())
