"""The real book in a real browser, without a network: it loads, it shows its mathematics, it can be read."""

import functools
import http.server
import json
import shutil
import threading
import time

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

pytestmark = pytest.mark.book

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
SLIDER_PAGE = "notebooks/amse_theorem"

# Every piece of visible text in the article, its colour and the colours behind it, innermost first.
TEXT_COLOURS = """
const found = [];
const walker = document.createTreeWalker(document.querySelector("article"), NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const text = walker.currentNode.textContent.trim();
  const element = walker.currentNode.parentElement;
  const box = element.getBoundingClientRect();
  if (!text || box.width < 2 || box.height < 2 || !element.checkVisibility({opacityProperty: true})) continue;
  if (element.closest("mjx-assistive-mml, .headerlink, button, script, style, svg")) continue;
  const behind = [];
  for (let up = element; up; up = up.parentElement) behind.push(getComputedStyle(up).backgroundColor);
  found.push([text.slice(0, 40), getComputedStyle(element).color, behind]);
}
return found;
"""


@pytest.fixture(scope="session")
def served(book):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=book)
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


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
        browser.execute_script("document.documentElement.dataset.theme = arguments[0]", theme)
        WebDriverWait(browser, 30).until(lambda _: mathematics_is_set(browser))
        return browser

    return open_page


def mathematics_is_set(browser):
    return browser.execute_async_script(
        "const done = arguments[0];"
        "if (!document.querySelector('.math')) done(document.readyState === 'complete');"
        "else if (!window.MathJax || !MathJax.startup) done(false);"
        "else MathJax.startup.promise.then(() => done(document.readyState === 'complete'));"
    )


def network(browser):
    """(addresses asked for, what failed) since the page was opened."""
    asked, failed = [], []
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        event, details = message["method"], message["params"]
        if event == "Network.requestWillBeSent" and not details["request"]["url"].startswith("chrome://"):
            asked.append(details["request"]["url"])
        elif event == "Network.loadingFailed" or (
            event == "Network.responseReceived" and details["response"]["status"] >= 400
        ):
            failed.append(details.get("response", details))
    return asked, failed


def check_page(browser, origin):
    asked, failed = network(browser)
    assert failed == []
    assert asked
    assert [address for address in asked if not address.startswith((origin, "data:", "blob:"))] == []
    assert [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []
    formulas = browser.find_elements(By.CSS_SELECTOR, ".math")
    assert len(browser.find_elements(By.CSS_SELECTOR, "mjx-container")) >= len(formulas)
    assert browser.find_elements(By.CSS_SELECTOR, "mjx-merror, [data-mjx-error]") == []
    broken = "return [...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)"
    assert browser.execute_script(broken) == []


def test_a_page_loads_whole_from_this_machine_alone(served, visit, page):
    check_page(visit(f"{served}/{page}.html"), served)


def test_the_book_opens_from_the_disk_too(book, visit):
    browser = visit(f"file://{book}/index.html")
    WebDriverWait(browser, 10).until(lambda _: "/book/start.html" in browser.current_url)
    check_page(visit(f"file://{book}/book/start.html"), "file://")
    check_page(visit(f"file://{book}/{SLIDER_PAGE}.html"), "file://")


def test_search_finds_a_chapter(served, visit):
    browser = visit(f"{served}/search.html?q=asymmetric")
    WebDriverWait(browser, 20).until(lambda _: browser.find_elements(By.CSS_SELECTOR, "#search-results li a"))
    found = [
        link.get_attribute("href") for link in browser.find_elements(By.CSS_SELECTOR, "#search-results li a")
    ]
    assert any(SLIDER_PAGE in address for address in found)
    assert network(browser)[1] == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_is_legible(served, visit, page, theme):
    browser = visit(f"{served}/{page}.html", theme=theme)
    browser.execute_script("document.querySelectorAll('details').forEach(folded => { folded.open = true; })")
    time.sleep(0.3)  # the theme fades colours in
    texts = browser.execute_script(TEXT_COLOURS)
    assert texts
    ground = luminance(blend(texts[0][2]))
    assert ground > 0.8 if theme == "light" else ground < 0.1
    faint = {
        (text, colour): round(ratio, 2)
        for text, colour, ratio in map(contrast, *zip(*texts, strict=True))
        if ratio < 4.5
    }
    assert faint == {}


def test_figures_have_a_light_ground_in_the_dark_theme(served, visit, chapter):
    browser = visit(f"{served}/{chapter}.html", theme="dark")
    grounds = browser.execute_script(
        "return [...document.querySelectorAll('.cell_output img')].map(i => getComputedStyle(i).backgroundColor)"
    )
    for ground in grounds:
        assert luminance(channels(ground)[:3]) > 0.6


@pytest.mark.parametrize("width", [400, 1400])
def test_a_page_fits_its_window(served, visit, page, width):
    browser = visit(f"{served}/{page}.html", width=width)
    wide = browser.execute_script(
        "const limit = document.documentElement.clientWidth;"
        "return [document.documentElement.scrollWidth - limit, [...document.querySelectorAll('article *')]"
        ".filter(e => e.getBoundingClientRect().right > limit + 1 && e.checkVisibility())"
        ".slice(0, 5).map(e => e.tagName + '.' + e.className + ' ' + e.textContent.slice(0, 50))]"
    )
    assert wide[0] <= 0, wide


def test_the_slider_moves_the_minimiser_to_the_vertex(served, visit):
    browser = visit(f"{served}/{SLIDER_PAGE}.html")
    figure = browser.find_element(By.CSS_SELECTOR, "figure.jal-simplex")
    point = figure.find_element(By.CSS_SELECTOR, "circle.jal-minimiser")

    def place():
        return float(point.get_attribute("cx")), float(point.get_attribute("cy"))

    def move_to(end):
        browser.execute_script(
            "const slider = arguments[0].querySelector('input.jal-slider');"
            "slider.value = slider[arguments[1]];"
            "slider.dispatchEvent(new Event('input', {bubbles: true}));",
            figure,
            end,
        )
        return place()

    lowest, highest = move_to("min"), move_to("max")
    corners = figure.find_element(By.CSS_SELECTOR, ".jal-triangle").get_attribute("points").split()
    vertex = tuple(map(float, corners[0].split(",")))
    assert lowest != highest
    assert highest == pytest.approx(vertex, abs=0.5)
    assert lowest != pytest.approx(vertex, abs=5)


def channels(colour):
    """Red, green, blue and alpha, each of 0 to 1, of a computed colour."""
    numbers = [float(part) for part in colour.partition("(")[2].rstrip(")").replace("/", ",").split(",")]
    return [*(value / 255 for value in numbers[:3]), numbers[3] if len(numbers) > 3 else 1.0]


def blend(behind):
    """The colour that is seen where layers, the innermost first, lie over white."""
    seen = [1.0, 1.0, 1.0]
    for layer in reversed(behind):
        *colour, alpha = channels(layer)
        seen = [alpha * new + (1 - alpha) * old for new, old in zip(colour, seen, strict=True)]
    return seen


def luminance(colour):
    linear = [value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4 for value in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(text, colour, behind):
    """The text, its colour, and WCAG's ratio of contrast to what is behind it."""
    ground = blend(behind)
    *ink, alpha = channels(colour)
    seen = [alpha * new + (1 - alpha) * old for new, old in zip(ink, ground, strict=True)]
    brighter, darker = sorted((luminance(seen), luminance(ground)), reverse=True)
    return text, colour, (brighter + 0.05) / (darker + 0.05)
