"""A reader without a mouse, without eyes, in the dark or with a preference for stillness: the book serves them too."""

import time

import pytest
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.by import By

from tests.book.colours import blend, contrast

pytestmark = pytest.mark.book

FIGURE_PAGE = "notebooks/amse_theorem"
FOLDED = "document.querySelectorAll('details').forEach((folded) => { folded.open = true; })"

# Formulas are MathJax's own affair, and thousands of elements.
AXE = """
const [options, done] = [arguments[0], arguments[arguments.length - 1]];
axe.run({exclude: [["mjx-container"]]}, options).then((found) => done(found.violations.map(
  (one) => [one.impact, one.id, one.nodes.map((node) => `${node.target} ${node.html.slice(0, 120)}`)])));
"""
EVERYTHING = {"resultTypes": ["violations"]}
COLOURS = EVERYTHING | {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}

# How an element looks, itself and in what stands before and after it.
LOOK = """
const element = arguments[0] || document.activeElement;
const names = ["outline", "boxShadow", "backgroundColor", "borderColor", "textDecoration"];
return ["", "::before", "::after"].flatMap((part) => {
  const style = getComputedStyle(element, part || null);
  const outline = style.outlineStyle === "none" ? "none" : style.outline;
  return [part, outline, ...names.slice(1).map((name) => style[name])];
});
"""


def violations(browser, axe, options):
    browser.execute_script(FOLDED)
    time.sleep(0.4)  # the theme fades colours in
    browser.execute_script(axe)
    found = browser.execute_async_script(AXE, options)
    return [(impact, rule, nodes) for impact, rule, nodes in found if impact in ("serious", "critical")]


def test_axe_finds_nothing_serious(book, served, visit, axe, any_page):
    assert (book / f"{any_page}.html").is_file()
    browser = visit(f"{served}/{any_page}.html")
    assert violations(browser, axe, EVERYTHING) == []
    browser = visit(f"{served}/{any_page}.html", theme="dark")
    assert violations(browser, axe, COLOURS) == []


def test_axe_finds_nothing_serious_in_a_narrow_window_or_beside_open_runs(trial, visit, axe):
    for theme in ("light", "dark"):
        browser = visit(trial, width=400, theme=theme)
        assert violations(browser, axe, EVERYTHING) == []
        browser.execute_script("document.querySelector('.jal-runs').showPopover()")
        assert violations(browser, axe, EVERYTHING) == []


def test_axe_does_find_what_is_wrong(trial, visit, axe):
    browser = visit(trial)
    spoilt = '<button></button><span style="color: #ccc">pale</span>'
    browser.execute_script("document.querySelector('article h1').innerHTML = arguments[0]", spoilt)
    assert {rule for _, rule, _ in violations(browser, axe, EVERYTHING)} == {"button-name", "color-contrast"}


def stops(browser):
    """What the Tab key stops at, from the top of the page to its end, and how each looks then."""
    found = []
    for _ in range(300):
        ActionChains(browser).send_keys(Keys.TAB).perform()
        element = browser.switch_to.active_element
        if element.tag_name == "body" or (found and element == found[0][0]):
            return found
        found.append((element, browser.execute_script(LOOK)))
    raise AssertionError("300 presses of Tab do not reach the end of the page")


def test_each_stop_of_the_tab_key_is_seen_and_nothing_is_left_out(trial, visit):
    browser = visit(trial)
    found = stops(browser)
    assert found[0][0].text == "Skip to main content"
    for wanted in ("search-button", "theme-switch-button", "jal-cell", "jal-slider"):
        assert any(wanted in (element.get_attribute("class") or "") for element, _ in found), wanted
    assert sum("jal-slider" in (element.get_attribute("class") or "") for element, _ in found) == 6
    browser.execute_script("document.activeElement.blur()")
    time.sleep(0.4)
    unseen = [
        element.get_attribute("outerHTML")[:120]
        for element, look in found
        if browser.execute_script(LOOK, element) == look
    ]
    assert unseen == []


def test_the_keys_that_the_page_names_open_the_search(served, visit):
    browser = visit(f"{served}/book/start.html")
    ActionChains(browser).key_down(Keys.CONTROL).send_keys("k").key_up(Keys.CONTROL).pause(0.3).perform()
    field = browser.switch_to.active_element
    assert field.get_attribute("type") == "search"
    field.send_keys("asymmetric", Keys.ENTER)
    assert "search.html?q=asymmetric" in browser.current_url


def test_the_theme_s_own_switch_keeps_figures_legible(served, visit):
    browser = visit(f"{served}/{FIGURE_PAGE}.html")
    switch = browser.find_element(By.CSS_SELECTOR, ".theme-switch-button")
    seen = {}
    try:
        for _ in range(3):
            switch.click()
            time.sleep(0.5)
            theme = browser.execute_script("return document.documentElement.dataset.theme")
            seen[theme] = browser.execute_script(
                "const behind = (element) => { const found = [];"
                "for (let up = element; up; up = up.parentElement) found.push(getComputedStyle(up).backgroundColor);"
                "return found; };"
                "return [[...document.querySelectorAll('.cell_output img')].map(behind),"
                "[...document.querySelectorAll('figure svg text')].map("
                "(text) => [text.textContent, getComputedStyle(text).fill, behind(text.closest('svg'))])]"
            )
    finally:
        browser.execute_script("localStorage.clear()")
    assert set(seen) == {"light", "dark"}
    for theme, (pictures, texts) in seen.items():
        assert pictures and texts
        # Pictures are drawn in dark ink, so their ground stays light.
        assert all(min(blend(ground)) > 0.8 for ground in pictures)
        assert all(contrast(*text)[2] > 4.5 for text in texts)
        assert (min(blend(texts[0][2])) > 0.8) == (theme == "light")


def test_nothing_moves_for_whoever_asked_for_stillness(trial, visit):
    moving = (
        "return [...document.querySelectorAll('*')].filter((element) => {"
        "const style = getComputedStyle(element);"
        "return /[1-9]/.test(style.transitionDuration + style.animationDuration) || style.scrollBehavior === 'smooth';"
        "}).map((element) => element.tagName + '.' + element.className).slice(0, 5)"
    )
    browser = visit(trial)
    assert browser.execute_script(moving) != []
    reduced = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": reduced})
    try:
        assert browser.execute_script(moving) == []
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
