#!/usr/bin/env bash
# papermill 2.7.0: the list of a notebook's parameters that `inspect_notebook` gives is read line by line, not parsed.
#
# Expected: for valid Python, the names that are assigned, each with its default.
# Seen: a "#" inside a text ends the default there; the keywords of a call over several lines are parameters of their
# own, which do not exist; a chained assignment is left out, with a line on standard error.
# So: read the cell with ast where names or defaults have to be right, and keep each parameter on a line of its own.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet papermill==2.7.0 nbformat==5.11.1
cd "$folder"
env/bin/python - <<'PYTHON'
import sys

import nbformat
import papermill
from nbformat.v4 import new_code_cell, new_notebook

KERNEL = {"name": "python3", "language": "python", "display_name": "Python 3"}


def parameters(source):
    cell = new_code_cell(source, metadata={"tags": ["parameters"]})
    nbformat.write(new_notebook(cells=[cell], metadata={"kernelspec": KERNEL}), "notebook.ipynb")
    return {name: each["default"] for name, each in papermill.inspect_notebook("notebook.ipynb").items()}


found = [
    parameters('colour = "#ff8800"\nsize = 3\n'),
    parameters("table = dict(\n    rows=3,\n    columns=4,\n)\nseed = 1\n"),
    parameters("c = d = 3\nsize = 3\n"),
]
print(*found, sep="\n")
seen = found[0]["colour"] == '"' and {"rows", "columns"} <= set(found[1]) and found[2] == {"size": "3"}
sys.exit(0 if seen else "this has changed")
PYTHON
