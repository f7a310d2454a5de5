"""What nbgrader's list of assignments uses in a student's JupyterLab on a hub."""

c = get_config()  # noqa: F821 (traitlets puts it here)

c.CourseDirectory.course_id = "learning-to-see"
c.Exchange.path_includes_course = True  # lessons are fetched to the folder learning-to-see in the student's home
