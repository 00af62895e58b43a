"""Writes docs/numpy.md: the state of every name of NumPy's main namespace.

python tests/numpy_page.py            writes the page
python tests/numpy_page.py --check    exits with 1 if the page is stale
"""

import sys
from pathlib import Path

import numpy as np

from adcore.numpy import _states

PAGE = Path(__file__).resolve().parents[1] / "docs" / "numpy.md"

HEAD = """\
# adcore.numpy

What every public name of NumPy's main namespace is when tensors are among its arguments. Of plain
numbers and arrays each is NumPy's own function. `python tests/numpy_page.py` makes this page from
the library, with NumPy {version}.

- **differentiable**: gives tensors; derivatives of every order, in both modes, nested, and in
  compiled functions.
- **constant**: gives plain truths, whole numbers or texts, which do not vary with the elements.
- **plain**: NumPy's own. Types, files, settings, and functions whose arguments are shapes or
  places; a tensor that is differentiated raises where one of them asks for its number.
- **refused**: raises an error for tensors, that says what to write.

Functions are also reached by plain `import numpy as np`, except those that NumPy cannot hand a
tensor to: {ours}.
These are differentiable as names of `adcore.numpy`.

`copyto`, `fill_diagonal`, `place`, `put`, `put_along_axis`, `putmask` and `out=` of ufuncs assign
to a tensor's elements, as `x[key] = value` does; an array of plain numbers cannot take tensors,
which is an error. So is changing a part of a tensor in place, `x[i][j] = value` or
`np.copyto(x[i], value)`, while the tensor is in use: where NumPy's slices are views, tensors' are
values of their own. Write `x[i, j] = value`, or change `x[i].copy()`.

| name | state | |
|---|---|---|
"""


def page():
    """The text of the page."""
    from adcore.numpy._table import ours

    rows = []
    for name in _states.names():
        state = _states.state(name)
        note = _states.what_instead(name) if state == _states.REFUSED else ""
        rows.append(f"| `{name}` | {state} | {note} |\n")
    unseen = ", ".join(f"`{name}`" for name in sorted(ours))
    return HEAD.format(version=np.__version__, ours=unseen) + "".join(rows)


def rows_of(text):
    """{name: row} of a page."""
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    return {row.split("`")[1]: row for row in rows}


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(PAGE.read_text() != page())
    PAGE.write_text(page())
