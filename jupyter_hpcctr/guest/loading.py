"""Makes a package of this directory for a program of it that runs as a file, in an image that has not installed us.

``_hpcctr_guest`` is its name there, so that nothing of the user's can be meant. Only what every interpreter
has in memory is imported here.
"""

from __future__ import annotations

import _frozen_importlib as importlib
import _frozen_importlib_external as external
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NAME = "_hpcctr_guest"


def package() -> str:
    """Make the package, without a word to anybody who lists ``sys.path``; return its name.

    A file that is run has its directory first in ``sys.path``, where a user's ``import data`` would find ours: this
    directory and those below are taken away.
    """
    directory = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if not f"{path}/".startswith(f"{directory}/")]
    if not __package__:  # it was imported by its file's name, which is a user's to give
        sys.modules.pop(__name__, None)
    if NAME not in sys.modules:
        file = os.path.join(directory, "__init__.py")
        spec: Any = external.spec_from_file_location(NAME, file, submodule_search_locations=[directory])
        sys.modules[NAME] = importlib.module_from_spec(spec)  # its __init__ is a docstring
    return NAME
