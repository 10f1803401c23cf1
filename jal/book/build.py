"""Build the book: papermill executes what changed, Jupyter Book renders it without executing anything."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import nbformat
import yaml
from filelock import FileLock, Timeout
from nbformat import NotebookNode
from sphinx_external_toc.parsing import MalformedError, parse_toc_yaml

from jal.book import paper
from jal.book.chapters import execute, page, says, untrue
from jal.book.failure import BuildFailed
from jal.book.fingerprint import digest, fingerprint, records
from jal.book.run import check_jobs, check_profile, tell
from jal.checkout import find_root
from jal.errors import InputError
from jal.experiments.shelf import is_absent


def build_book(
    profile: str = "quick",
    *,
    root: str | Path | None = None,
    jobs: int | None = None,
    strict: bool = False,
    pdf: bool = False,
    tell: Callable[[str], None] = tell,
) -> Path:
    """Build the book into `_build/html` of the checkout.

    A notebook is executed again only if its text, the profile, the library, the data, an installed package or a
    Record that it looked for changed; the pages are rendered again only if something in one of them did.

    Parameters
    ----------
    profile
        "quick", "laptop" or "full": what the notebooks run afresh.
    root
        The checkout; None looks for it upwards.
    jobs
        Notebooks at a time; None for one per core.
    strict
        Whether a warning of Sphinx is an error, and a sentence that its numbers do not bear out.
    pdf
        Whether to make `_build/latex/jal.pdf` too.
    tell
        Takes the lines that say how far it is; on stderr if not given.

    Returns
    -------
    Path
        The page to open, `_build/html/index.html`.

    Raises
    ------
    InputError
        for an unknown profile, jobs < 1, a table of contents that cannot be read or names a page that does not
        exist, and a PDF where LaTeX is not installed.
    BuildFailed
        if a notebook failed (the executed notebook with its error is kept), the rendering did, or the PDF lacks
        a figure; and in a strict build where a page says what its runs do not bear out.
    """
    top = find_root(root)
    pages, names = _contents(top)
    check_profile(profile)
    check_jobs(jobs, len(names))
    if pdf:
        paper.check_tools()
    if profile == "laptop" and is_absent("fashion-mnist"):
        tell(
            "fashion-mnist is not here: the chapters show the runs that there are; `jal data fetch fashion-mnist`"
        )
    with _alone(top / "_build", tell):
        executed = execute(names, top, profile=profile, jobs=jobs, tell=tell)
        config = yaml.safe_load((top / "_config.yml").read_text())
        config.setdefault("execute", {})["execute_notebooks"] = "off"
        repository = str((config.get("repository") or {}).get("url") or "").rstrip("/")
        files = {
            "_toc.yml": (top / "_toc.yml").read_bytes(),
            "_config.yml": str(yaml.safe_dump(config, sort_keys=False)).encode(),
            **{str(path.relative_to(top)): path.read_bytes() for path in pages},
        }
        chapters = {name: page(path, repository) for name, path in executed.items()}
        for name, sentences in ((name, untrue(chapter)) for name, chapter in chapters.items()):
            for sentence in sentences:
                tell(f"{name}: its runs do not bear out what it says: {sentence}")
            if sentences and strict:
                raise BuildFailed(f"{name} says what its runs do not bear out: {sentences[0]}: rewrite it")
        index = _html(top, files | _staged(chapters), strict, tell)
        if pdf:
            chapters = {name: page(path, repository, printed=True) for name, path in executed.items()}
            figures = {name: paper.printable(chapter) for name, chapter in chapters.items()}
            _pdf(top, files | _staged(chapters), figures, strict, tell)
    return index


@contextmanager
def _alone(build: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """One build at a time: a second one waits, and then finds most of it done."""
    build.mkdir(exist_ok=True)
    lock = FileLock(build / "lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        tell("another process is building this book: waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _contents(top: Path) -> tuple[list[Path], list[str]]:
    """The files that a reader's page needs besides notebooks, and the names of the notebooks, in reading order."""
    try:
        names = list(parse_toc_yaml(top / "_toc.yml"))
    except MalformedError as error:
        raise InputError(f"_toc.yml cannot be read: {error}") from None
    chapters = []
    for name in names:
        if (top / f"{name}.ipynb").is_file():
            chapters.append(Path(name).name)
        elif not (top / f"{name}.md").is_file():
            raise InputError(f"_toc.yml names {name!r}, but {top} has neither {name}.md nor {name}.ipynb")
    return sorted(path for path in (top / "book").rglob("*") if path.is_file()), chapters


def _staged(chapters: Mapping[str, NotebookNode]) -> dict[str, bytes]:
    return {
        f"notebooks/{name}.ipynb": nbformat.writes(notebook).encode() for name, notebook in chapters.items()
    }


def _html(top: Path, files: Mapping[str, bytes], strict: bool, tell: Callable[[str], None]) -> Path:
    build = top / "_build"
    index, rendered, read = build / "html" / "index.html", build / "rendered.key", build / "read.key"
    # The pages of the docstrings show what no file of the book holds.
    state = [fingerprint(top), str(strict)]
    pages = [name for name in sorted(files) if name.endswith((".md", ".ipynb"))]
    common = digest(
        [*state, *pages, *(part for name in sorted(set(files) - set(pages)) for part in (name, files[name]))]
    )
    # The page on the book's state counts the Records; it is read again whenever the pages are rendered.
    key = digest([common, records(top), *(files[name] for name in pages)])
    if not (index.is_file() and says(rendered, key)):
        # What Sphinx has read of a page holds as long as nothing changed but other pages. Where warnings are errors
        # (`state` has it), it has not warned of the page: that build would have failed.
        known = says(read, common)
        for stamp in (rendered, read):
            stamp.unlink(missing_ok=True)
        _render(top, files, "html", strict, tell, known)
        # What the theme's button downloads is the notebook as it was written, not as it ran.
        for name in files:
            if name.endswith(".ipynb"):
                shutil.copyfile(top / name, build / "html" / "_sources" / name)
        rendered.write_text(key)
        read.write_text(common)
    tell(f"the book is built: open {index}")
    return index


def _pdf(
    top: Path,
    files: Mapping[str, bytes],
    figures: Mapping[str, list[str]],
    strict: bool,
    tell: Callable[[str], None],
) -> None:
    (top / "_build" / "read.key").unlink(missing_ok=True)
    _render(top, files, "latex", strict, tell)
    tell("setting the PDF")
    tell(f"the PDF is built: open {paper.typeset(top / '_build' / 'latex', figures)}")


def _render(
    top: Path,
    files: Mapping[str, bytes],
    builder: str,
    strict: bool,
    tell: Callable[[str], None],
    known: bool = False,
) -> None:
    """Make `_build/BUILDER` of these files, reading again only those that changed if the others are `known`."""
    tell(f"rendering the pages ({builder})")
    start = time.perf_counter()
    book = top / "_build" / "book"
    for path in [path for path in book.rglob("*") if path.is_file()]:
        if str(path.relative_to(book)) not in files:
            path.unlink()
    for name, content in files.items():
        path = book / name
        if not (path.is_file() and path.read_bytes() == content):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    # All pages are written from nothing: it takes seconds, and each has the others' titles in its sidebar.
    shutil.rmtree(top / "_build" / builder, ignore_errors=True)
    run = "from jupyter_book.cli.main import main; main()"
    command = [
        sys.executable,
        "-c",
        run,
        "build",
        "_build/book",
        "--path-output",
        ".",
        "--builder",
        builder,
        "-q",
    ]
    command += ([] if known else ["--all"]) + (["-W", "--keep-going"] if strict else [])
    done = subprocess.run(command, cwd=top, stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise BuildFailed("Jupyter Book could not render the pages: its messages above say why")
    tell(f"rendered in {time.perf_counter() - start:.1f} s")
