"""Figures of the lessons: what is worth looking at rather than reading. Each function returns a `Picture`.

`drawing.py` holds what all figures share; each `lesson_NN.py` the figures that this lesson shows first. All of them are offered here.
"""

import importlib
import pkgutil

from .drawing import INK, MARK_FILL, SIGNED, Picture, moved_by, show_grid, show_grids, show_images, show_maps

__all__ = ["INK", "MARK_FILL", "SIGNED", "Picture", "moved_by", "show_grid", "show_grids", "show_images", "show_maps"]

for _room in sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name.startswith("lesson_")):
    for _name, _figure in vars(importlib.import_module(f".{_room}", __name__)).items():
        if getattr(_figure, "__module__", "") == f"{__name__}.{_room}" and not _name.startswith("_"):
            globals()[_name] = _figure
            __all__ += [_name]
