# Learning to See: everything that can be done here, one target each. `make` lists them.
# Each target first makes .venv and installs the pinned packages in it; once that is done, it costs nothing.
# Choices: PYTHON=python3.12 (which Python makes .venv), TORCH=cpu (torch without CUDA), PORT=9999, LESSON=2, STUDENT=id, FROM=folder, DUE="2026-03-01 23:59"

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
PY := .venv/bin/python
LESSON ?=
STUDENT ?=
AT ?=
PORT ?=
FROM ?=
ROSTER ?=
DUE ?=
COURSE ?=
UPGRADE ?=
TORCH ?=
PYTHON ?=
export PYTHON TORCH
# Compiled bytecode, kept in .venv, halves the time that JupyterLab and every kernel take to start; some machines turn it off.
unexport PYTHONDONTWRITEBYTECODE

# What each target takes. Anything else that is given to it is refused, a slip of the pen included: ignored, it would do more than was meant.
takes.lab := PORT
takes.reset := LESSON
takes.release := LESSON DUE
takes.collect := FROM LESSON ROSTER STUDENT AT
takes.remove := LESSON STUDENT
takes.grade := LESSON STUDENT WORKERS REGRADE UNSAFE
takes.status := LESSON STUDENTS
takes.feedback := LESSON STUDENT
takes.report := LESSON
takes.table := LESSON STUDENT NOTES
takes.formgrader := COURSE PORT
takes.text := LESSON
takes.notebook := LESSON
takes.lock := UPGRADE
given := $(foreach one,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(one)))),$(one)))
strange = $(filter-out PYTHON TORCH PY OS SHELL MAKE% -% $(takes.$(1)),$(given))
$(foreach goal,$(MAKECMDGOALS),$(if $(call strange,$(goal)),\
  $(error make $(goal) does not take $(call strange,$(goal)). It takes: $(or $(takes.$(goal)),nothing))))
# values as one word each, with whatever spaces
lesson = $(if $(LESSON),"$(LESSON)")
student = $(if $(STUDENT),--student "$(STUDENT)")

# A student's bundle holds no grading and no tests: there, `make` lists and offers only what works.
INSTRUCTOR := $(wildcard autograder/cli.py)

.PHONY: help
help:
	@echo "make ...        what it does"
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-12s  %s\n", $$1, $$2}' Makefile
ifneq ($(INSTRUCTOR),)
	@awk -F ':.*#! ' '/^[a-z-]+:.*#! /{printf "  %-12s  %s\n", $$1, $$2}' Makefile
endif
	@echo "LESSON is a folder's name or its number; PORT=9999 and PYTHON=python3.12 choose; TORCH=cpu installs torch without CUDA."

# ---------------------------------------------------------------- set-up
.PHONY: setup
setup:
	@$(find_python); before=$$(cksum .venv/installed.json 2>&1 || :); "$$python" -I course_lib/install.py --torch "$$TORCH"; \
	if [ "$(MAKECMDGOALS)" = setup ] && [ "$$before" != "$$(cksum .venv/installed.json)" ]; then \
	  echo "Next: make lab opens the course; make alone lists everything else."; \
	fi

# The Python that sets up: the one asked for, else .venv's own when it is complete, else the first here that is recent enough.
# The versions are those of requires-python in pyproject.toml.
define find_python
set -e; \
if [ "$(OS)" = Windows_NT ]; then \
  echo "make works on Linux, macOS and Windows' Linux (WSL). In WSL: copy the course there and run make again." >&2; \
  echo "Without WSL: use conda, as the README says (environment.yml, then: python -m course_lib lab)." >&2; exit 1; \
fi; \
suits() { "$$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' >/dev/null 2>&1; }; \
version() { "$$1" -c 'import sys; print(sys.version.split()[0])' 2>/dev/null || echo "not found"; }; \
if [ -n "$$PYTHON" ]; then \
  suits "$$PYTHON" || { \
    echo "PYTHON=$$PYTHON does not do: Python 3.11, 3.12 or 3.13 is needed, this is: $$(version "$$PYTHON")." >&2; \
    echo "Give another: PYTHON=python3.12 make ..." >&2; exit 1; }; \
  python=$$PYTHON; \
else \
  python=; \
  for candidate in python3 python3.13 python3.12 python3.11 python; do \
    if [ -z "$$TORCH" ] && [ -f .venv/installed.json ] && suits $(PY); then python=$(PY); break; fi; \
    if suits $$candidate; then python=$$candidate; break; fi; \
  done; \
  if [ -z "$$python" ]; then \
    echo "Python 3.11, 3.12 or 3.13 is needed; python3 here is: $$(version python3)." >&2; \
    echo "Install one (python.org, your system's packages, or conda) and run this again, or name it: PYTHON=/path/to/python3.12 make ..." >&2; \
    exit 1; \
  fi; \
fi
endef

# ---------------------------------------------------------------- students
.PHONY: lab data reset
lab: setup ## open the course in JupyterLab (your copies are in work/; PORT=9999 asks for a port)
	@$(PY) -m course_lib lab $(if $(PORT),--port $(PORT))

data: setup ## unpack and check the data (make lab does it too)
	@$(PY) -m course_lib data

reset: setup ## start a lesson again: make reset LESSON=2 (your old copy goes to work/kept/)
	@$(PY) -m course_lib reset "$(LESSON)"

# ---------------------------------------------------------------- instructors and authors
ifneq ($(INSTRUCTOR),)
.PHONY: release collect remove grade status doctor feedback report table formgrader bundle demo text notebook book book-student test proofs mutants bench lint lock
release: setup #! make notebooks/ from solutions/, without the answers (LESSON=2 DUE="2026-03-01 23:59")
	@$(PY) -m autograder release $(lesson) $(if $(DUE),--due "$(DUE)")

bundle: setup #! make the zip to hand out to students
	@$(PY) -m autograder bundle

collect: setup #! take in what students handed in: make collect FROM=folder-or-zip (LESSON=2 ROSTER=grades.csv; STUDENT=id AT=date: of one notebook)
	@test -n "$(FROM)" || { echo "Say where the hand-ins are: make collect FROM=path (a folder with one folder a student, Moodle's or Canvas's zip, nbgrader's exchange)" >&2; exit 1; }
	@$(PY) -m autograder collect "$(FROM)" $(if $(LESSON),--lesson $(lesson)) $(if $(ROSTER),--roster "$(ROSTER)") $(student) $(if $(AT),--at "$(AT)")

remove: setup #! take a hand-in out of the course, and keep it in removed/: make remove LESSON=2 STUDENT=s1999
	@test -n "$(LESSON)" -a -n "$(STUDENT)" || { echo "Say which: make remove LESSON=2 STUDENT=s1999" >&2; exit 1; }
	@$(PY) -m autograder remove $(lesson) $(student)

grade: setup #! grade what was collected (LESSON=2; STUDENT=id; WORKERS=4; REGRADE=yes: also what has not changed; UNSAFE=yes)
	@$(PY) -m autograder grade $(lesson) $(student) $(if $(WORKERS),--workers $(WORKERS)) $(if $(REGRADE),--regrade) $(if $(UNSAFE),--unsafe)

status: setup #! say where each lesson stands, and what to do next (LESSON=2; STUDENTS=yes: also who)
	@$(PY) -m autograder status $(lesson) $(if $(STUDENTS),--students)

doctor: setup #! say what this machine can guarantee while it grades
	@$(PY) -m autograder doctor

feedback: setup #! write each student's feedback page (LESSON=2 STUDENT=id)
	@$(PY) -m autograder feedback $(lesson) $(student)

report: setup #! write pages and CSV files about the class (LESSON=2)
	@$(PY) -m autograder report $(lesson)

table: setup #! print the class's table of scores (LESSON=2 STUDENT=id; NOTES=yes: with all notes)
	@$(PY) -m autograder table $(lesson) $(student) $(if $(NOTES),--notes)

formgrader: setup #! grade written answers by hand in JupyterLab (COURSE=demo: the example class)
	@$(PY) -m course_lib lab --formgrader $(or $(COURSE),.) $(if $(PORT),--port $(PORT))

demo: setup #! grade an example class, from release to table, and check every score
	@$(PY) -m autograder demo

text: setup #! write a lesson as a Python file to edit: make text LESSON=2
	@$(PY) -m autograder text $(lesson)

notebook: setup #! write the notebook back from that file: make notebook LESSON=2
	@$(PY) -m autograder notebook $(lesson)

book: setup #! make the book, from solutions/ with folded answers, in book/_build/book/
	@$(PY) -m book.build

book-student: setup #! make the same without answers, from notebooks/, in book/_build/student/
	@$(PY) -m book.build --student

test: lint #! run every test but the slow ones
	@$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-slow: setup #! run the slow tests: all of the hostile corpus, honest hand-ins in every style
	@$(PY) -m pytest -m slow -n 2 --dist loadfile --no-loadscope-reorder

proofs: setup #! try the checks on known answers and write book/proofs.md
	@$(PY) -m tests.proofs

mutants: setup #! change the model answers bit by bit and see whether the checks notice
	@$(PY) -m tests.proofs.mutants

bench: setup #! measure how fast it all is, beside its peers, and write book/benchmarks.md (about 15 minutes)
	@$(PY) -m benchmarks

lint: setup #! check the style of code and notebooks
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check course_lib autograder tests

lock: setup #! write requirements.lock after a change of pyproject.toml (UPGRADE=yes: newest versions)
	@$(PY) -m uv pip compile --quiet --universal --generate-hashes $(if $(UPGRADE),--upgrade) --python-version 3.11 --all-extras --no-header pyproject.toml -o requirements.lock
endif
