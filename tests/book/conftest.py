"""The real book, built once for all tests that read it, and a browser that reads it."""

import functools
import http.server
import os
import shutil
import threading
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait
from sphinx_external_toc.parsing import parse_toc_yaml

from jal.analysis import page
from jal.analysis.frame import frame
from jal.analysis.interactive import simplex_slider, threshold_slider
from jal.analysis.stats import Summary
from jal.book import build_book
from tests.analysis.dressed import dressed

ROOT = Path(__file__).parents[2]
PAGES = list(parse_toc_yaml(ROOT / "_toc.yml"))
CHAPTERS = [page for page in PAGES if page.startswith("notebooks/")]
TRIAL = "book/trial.html"
MISSING = ("GCE", "symmetric 0.2")
"""The cell without runs in the tables of the trial page."""
MADE_BY_SPHINX = ["search", "genindex", "prf-prf"]
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--allow-file-access-from-files",
    # No name but this machine's own resolves.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


def pytest_generate_tests(metafunc):
    for name, values in (("page", PAGES), ("chapter", CHAPTERS), ("any_page", PAGES + MADE_BY_SPHINX)):
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, values)


@pytest.fixture(scope="session")
def book():
    """The folder of the pages that `jal book` renders, each warning of Sphinx being an error.

    JAL_BOOK names the folder of a book that is built already.
    """
    built = os.environ.get("JAL_BOOK")
    return Path(built) if built else build_book(root=ROOT, strict=True).parent


@pytest.fixture(scope="session")
def trials(tmp_path_factory):
    """A folder whose files are served as if they were among the book's own."""
    return tmp_path_factory.mktemp("trials")


@pytest.fixture(scope="session")
def served(book, trials):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

        def translate_path(self, path):
            found = super().translate_path(path)
            trial = trials / Path(found).relative_to(book)
            return str(trial) if trial.is_file() else found

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=book)
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def trial(book, trials, served):
    """A page of the book's own, but for what it holds: each kind of moving figure, and a table of 14 x 9 x 3 runs."""
    found = dressed(missing=[MISSING])
    tidy = frame(found, lookup=lambda *_: Summary(70.0, 1.0, 3))
    blocks = [
        page.comparison(tidy, "Table 3: a trial"),
        page.runs_table(tidy, "The same runs", name="loss"),
        threshold_slider(K=10, rate=0.4, q=2),
        simplex_slider([0.5, 0.3, 0.2]),
    ]
    soup = BeautifulSoup((book / "book/start.html").read_text(), "html.parser")
    article = soup.select_one("article.bd-article")
    article.clear()
    parts = ["<h1>A trial</h1>"]
    parts += [
        f'<div class="cell_output"><div class="output text_html">{block.html}</div></div>' for block in blocks
    ]
    article.append(BeautifulSoup("".join(parts), "html.parser"))
    for name in ("jal-figures.css", "jal-figures.js"):
        new = soup.new_tag("link", rel="stylesheet", href=f"../_static/{name}")
        if name.endswith("js"):
            new = soup.new_tag("script", src=f"../_static/{name}", defer="")
        soup.head.append(new)
    (trials / "book").mkdir()
    (trials / TRIAL).write_text(str(soup))
    return f"{served}/{TRIAL}"


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("no Chromium with its chromedriver on the PATH")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    browser.set_script_timeout(180)
    browser.get("about:blank")  # its own first page goes on loading, and would count as asked for by ours
    yield browser
    browser.quit()


@pytest.fixture
def visit(browser):
    """Open an address in a window of a width, under a theme, and wait until its mathematics is set."""

    def open_page(address, width=1400, theme="light"):
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False},
        )
        for log in ("performance", "browser"):
            browser.get_log(log)
        browser.get(address)
        WebDriverWait(browser, 30).until(lambda _: mathematics_is_set(browser))
        # Not before: the page's own script sets the theme while it loads.
        browser.execute_script("document.documentElement.dataset.theme = arguments[0]", theme)
        return browser

    return open_page


def mathematics_is_set(browser):
    return browser.execute_async_script(
        "const done = arguments[0];"
        "if (!document.querySelector('.math')) done(document.readyState === 'complete');"
        "else if (!window.MathJax || !MathJax.startup) done(false);"
        "else MathJax.startup.promise.then(() => done(document.readyState === 'complete'));"
    )


@pytest.fixture(scope="session")
def axe():
    """The script of axe-core, which finds what a page denies to a screen reader or a keyboard."""
    name = "axe-playwright-python"
    try:
        # Its Python wants another browser's driver; the script is what we are after.
        script = distribution(name).locate_file("axe_playwright_python/axe.min.js")
    except PackageNotFoundError:
        pytest.skip(f"no axe-core: pip install --no-deps {name}")
    return Path(str(script)).read_text()
