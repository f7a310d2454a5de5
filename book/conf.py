"""How Sphinx builds the book. `build.py` lays out the pages; `make book` runs both."""

import importlib.util
from pathlib import Path

project = "Learning to See"
author = ""
language = "en"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.mathjax", "sphinx.ext.napoleon"]
templates_path = [str(Path(__file__).parent / "_templates")]  # autosummary would look for it beside the pages

# ---------------------------------------------------------------------------------------------------- lessons

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # build.py has run them, two at a time
nb_ipywidgets_js = {}  # explorers show their still pictures; nothing is fetched from a network
nb_merge_streams = True

# ---------------------------------------------------------------------------------------------------- reference

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autosummary_imported_members = False
default_role = "code"  # `name` in a docstring
napoleon_google_docstring = False
napoleon_use_rtype = False
add_module_names = False
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"

# ---------------------------------------------------------------------------------------------------- formulas

# One script that draws formulas as SVG: no fonts, no second file, nothing from a network, so that it works from a disk too.
_mathjax = Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax" / "tex-svg.js"
mathjax_path = _mathjax.name
mathjax4_config = {"options": {"enableMenu": False}, "svg": {"fontCache": "local"}}

# ---------------------------------------------------------------------------------------------------- site

html_theme = "sphinx_book_theme"
html_title = "Learning to See"
html_static_path = ["_static", str(_mathjax)]
html_css_files = ["book.css"]
html_js_files = ["book.js"]
html_favicon = "_static/eye.svg"
html_logo = "_static/eye.svg"
html_copy_source = False  # the sources of the pages are made; the real ones are in the project
html_show_search_summary = False  # a summary is read from the page it is of, which browsers forbid on a disk
html_show_copyright = False
html_context = {"default_mode": "auto"}  # light or dark as the system has it, until the reader chooses
html_theme_options = {
    "home_page_in_toc": True,
    "show_toc_level": 2,
    "use_download_button": False,
    "use_fullscreen_button": False,
    "logo": {"text": "Learning to See", "alt_text": ""},
    "extra_footer": "Code: MIT. Text and pictures: CC BY 4.0.",
    **{f"navbar_{place}": [] for place in ("start", "center", "end", "persistent")},  # the side bar has all that
    "footer_content_items": "extra-footer.html",
    "pygments_light_style": "github-light",
    "pygments_dark_style": "github-dark",
}
