"""Paths in records and messages that do not tell whose machine they come from."""

import os
from pathlib import Path

_INSTALLATION = Path(__file__).parents[2]


def anonymous(text: str) -> str:
    """``text`` without the working folder, the installation's folder and the home folder."""
    places = ((Path.cwd(), ""), (_INSTALLATION, ""), (Path(os.path.expanduser("~")), "~/"))
    for folder, instead in places:
        if folder != Path(folder.anchor):
            text = text.replace(f"{folder}/", instead)
    return text
