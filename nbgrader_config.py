"""How nbgrader finds this course and treats it: solutions -> notebooks -> submitted -> autograded -> feedback.

Read by `python -m autograder`, by the plain `nbgrader` command line and by the formgrader, whenever they run in this folder.
"""

import os
import sys

c = get_config()  # noqa: F821 (traitlets puts it here)

# For a new gradebook nbgrader runs the command `alembic`, which lies beside this Python whether or not that is on the PATH.
if os.path.dirname(sys.executable) not in os.environ.get("PATH", "").split(os.pathsep):
    os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ.get("PATH", os.defpath)

c.CourseDirectory.course_id = "learning-to-see"
c.CourseDirectory.root = os.path.dirname(os.path.abspath(__file__))
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "notebooks"
c.CourseDirectory.submitted_directory = "submitted"
c.CourseDirectory.autograded_directory = "autograded"
c.CourseDirectory.feedback_directory = "feedback"
# the gradebook is the file gradebook.db; a PostgreSQL server keeps it too:
# c.CourseDirectory.db_url = "postgresql+psycopg://grader@server/gradebook"
# the text mirrors of the solutions (*.py) and what editors leave behind are nobody's hand-out
c.CourseDirectory.ignore = [".*", "*.py", "*.pyc", "__pycache__", "*~", "*.orig", "*.bak", "feedback"]

# release: an answer gives way to a stub; see autograder/release.py for what a stub is where
c.ClearSolutions.code_stub = {"python": '# Your code here.\nraise NotImplementedError("not done yet")'}
c.ClearSolutions.text_stub = "*Write your answer here.*"
c.GenerateAssignment.preprocessors = [
    "nbgrader.preprocessors.LockCells",
    "autograder.release.ClearRegions",
    "nbgrader.preprocessors.ClearOutput",
    "nbgrader.preprocessors.CheckCellMetadata",
    "nbgrader.preprocessors.ComputeChecksums",
    "nbgrader.preprocessors.SaveCells",
    "nbgrader.preprocessors.ClearHiddenTests",
    "nbgrader.preprocessors.ClearMarkScheme",
    "nbgrader.preprocessors.ComputeChecksums",
    "nbgrader.preprocessors.CheckCellMetadata",
]

# grading: a hand-in is rebuilt from the release before it runs, cells are bounded in time, and no verdict means no points
c.Autograde.pre_convert_hook = "autograder.intake.before_autograde"
c.Autograde.autograde_preprocessors = [
    "autograder.execution.BoundedExecute",
    "autograder.execution.FailClosed",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.ClearHiddenTests",  # what was hidden from students stays so: autograded/ is made into pages
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.Execute.timeout = 60  # seconds a cell may run
c.BoundedExecute.notebook_seconds = 300  # and all cells of a notebook together
c.LimitOutput.max_lines = 500
c.LimitOutput.max_traceback = 50

# the formgrader: nothing of a hand-in runs in the instructor's browser
c.HTMLExporter.preprocessors = ["autograder.formgrader.Inert"]
