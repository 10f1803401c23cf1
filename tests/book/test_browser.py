"""The real book in a real browser, without a network: it loads, it shows its mathematics, it can be read."""

import json
import statistics
import time

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.book.colours import blend, channels, contrast, luminance

pytestmark = pytest.mark.book

SLIDER_PAGE = "notebooks/amse_theorem"
USABLE = 1000
"""Milliseconds until the first page can be read and used, from the disk of this machine."""

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


def test_what_gets_into_a_page_reaches_nobody(served, visit):
    """Another origin, even on this machine, is out of reach: the page's policy says so before anything is sent."""
    browser = visit(f"{served}/book/start.html")
    browser.get_log("browser")
    reaching = "const i = new Image(); i.src = arguments[0]; fetch(arguments[0]).catch(() => 0)"
    browser.execute_script(reaching, served.replace("127.0.0.1", "localhost") + "/book/start.html")

    def refused(_):
        said = [entry["message"] for entry in browser.get_log("browser")]
        return any("Content Security Policy" in message for message in said)

    WebDriverWait(browser, 10).until(refused)


def test_the_book_opens_from_the_disk_too(book, visit):
    browser = visit(f"file://{book}/index.html")
    WebDriverWait(browser, 10).until(lambda _: "/book/start.html" in browser.current_url)
    check_page(visit(f"file://{book}/book/start.html"), "file://")
    check_page(visit(f"file://{book}/{SLIDER_PAGE}.html"), "file://")


def test_the_first_page_is_usable_at_once(book, visit):
    took = []
    for _ in range(7):
        browser = visit(f"file://{book}/book/start.html")
        # By then all scripts have run: search, menus and the theme's switch answer.
        took.append(
            browser.execute_script(
                "return performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
            )
        )
    assert min(took) > 0
    assert statistics.median(took) < USABLE, took


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

    def ground():
        return luminance(blend(browser.execute_script(TEXT_COLOURS)[0][2]))

    # The theme fades colours in.
    WebDriverWait(browser, 10).until(lambda _: ground() > 0.8 if theme == "light" else ground() < 0.1)
    time.sleep(0.3)
    texts = browser.execute_script(TEXT_COLOURS)
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
