"""Lesson 7: its demonstrations show what the text says, and its network learns."""

from lessons import Lesson, LessonTests

LESSON = Lesson("07_backpropagation")


class TestTheLesson(LessonTests):
    lesson = LESSON
