"""What moves on a page, moved in a real browser: by mouse, keyboard and touch, and with scripts switched off."""

import itertools
import re
import time
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.actions.pointer_input import PointerInput
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from jal.analysis.interactive import threshold_slider
from jal.noise import pair, symmetric
from jal.theory import minimum_a
from tests.book.colours import blend, contrast

pytestmark = pytest.mark.book

CELLS = "table.jal-comparison button.jal-cell"

# Each slider of a figure to a value, then what the figure shows; for all of a list of values.
MOVED = """
const [figure, settings, selector, attribute] = arguments;
const sliders = [...figure.querySelectorAll("input.jal-slider")];
return settings.map((values) => {
  values.forEach((value, i) => {
    sliders[i].value = value;
    sliders[i].dispatchEvent(new Event("input", {bubbles: true}));
  });
  return [...figure.querySelectorAll(selector)].map((element) => element.getAttribute(attribute));
});
"""

# Of texts and lines in a figure's drawing: what, its colour, and the colours behind it, innermost first.
DRAWN = """
const found = [];
const lines = ".jal-path, .jal-line, .jal-accuracy, .jal-memorised";
const filled = "text, .jal-point, .jal-minimiser";
for (const element of document.querySelectorAll(`.jal-moving svg :is(${lines}, ${filled})`)) {
  if (!element.checkVisibility()) continue;
  const style = getComputedStyle(element);
  const behind = [];
  for (let up = element.closest("svg"); up; up = up.parentElement) behind.push(getComputedStyle(up).backgroundColor);
  const colour = element.matches(filled) ? style.fill : style.stroke;
  found.push([element.getAttribute("class") || element.textContent, colour, behind]);
}
return found;
"""


def one(browser, selector):
    return browser.find_element(By.CSS_SELECTOR, selector)


def open_panels(browser):
    return browser.find_elements(By.CSS_SELECTOR, ".jal-runs:popover-open")


def wait_for_panels(browser, number):
    WebDriverWait(browser, 5).until(lambda _: len(open_panels(browser)) == number)
    return open_panels(browser)


def press(browser, *keys):
    ActionChains(browser).send_keys(*keys).perform()


def tab_to(browser, selector):
    """Go there with the Tab key alone."""
    for _ in range(100):
        press(browser, Keys.TAB)
        if browser.execute_script("return document.activeElement.matches(arguments[0])", selector):
            return browser.switch_to.active_element
    raise AssertionError(f"100 presses of Tab do not reach {selector}")


# The sliders.


def test_the_slider_moves_the_minimiser_to_the_vertex(trial, visit):
    browser = visit(trial)
    figure = one(browser, "figure.jal-simplex")
    corner = one(browser, ".jal-triangle").get_attribute("points").split()[0]
    vertex = [float(number) for number in corner.split(",")]
    ends = [[1, 0.5, 0.6], [10, 0.5, 0.6]]
    (lowest,), (highest,) = (
        zip(*browser.execute_script(MOVED, figure, ends, ".jal-minimiser", name), strict=True)
        for name in ("cx", "cy")
    )
    (low_x, high_x), (low_y, high_y) = lowest, highest
    assert [float(high_x), float(high_y)] == pytest.approx(vertex, abs=0.5)
    assert [float(low_x), float(low_y)] != pytest.approx(vertex, abs=5)


def test_the_thresholds_drawn_are_those_of_the_library(trial, visit):
    browser = visit(trial)
    settings = list(
        itertools.product(
            [2, 3, 10, 100], [0, 0.05, 0.2, 0.4, 0.49, 0.5, 0.66, 0.8, 0.89, 0.95], [1, 1.5, 2, 3, 4]
        )
    )
    shown = browser.execute_script(
        MOVED, one(browser, "figure.jal-threshold"), settings, ".jal-point", "data-a"
    )
    for (K, rate, q), values in zip(settings, shown, strict=True):
        needed = [minimum_a(noise(K, rate), q) for noise in (symmetric, pair)]
        assert [float(value) for value in values] == pytest.approx(needed, rel=1e-9), (K, rate, q)
    assert {value == "Infinity" for values in shown for value in values} == {True, False}


def test_the_script_starts_from_the_static_drawing(trial, visit):
    browser = visit(trial)
    static = threshold_slider(K=10, rate=0.4, q=2)
    drawn = BeautifulSoup(static.html, "html.parser")
    assert one(browser, "figure.jal-threshold output").text == static.text
    assert one(browser, "figure.jal-threshold svg").get_attribute("aria-label") == static.text
    for name in ("symmetric", "pair"):
        was = drawn.select_one(f".jal-point.jal-{name}")["transform"]
        now = one(browser, f".jal-point.jal-{name}").get_attribute("transform")
        places = [[float(number) for number in re.findall(r"[\d.]+", place)] for place in (was, now)]
        assert len(places[0]) == 2 and places[0] == pytest.approx(places[1], abs=0.1)


def test_a_slider_moves_by_keys_and_says_where_it_is(trial, visit):
    browser = visit(trial)
    slider = tab_to(browser, ".jal-threshold input[aria-label^='noise rate']")
    assert slider.get_attribute("aria-valuetext") == "40 %"
    line = one(browser, ".jal-threshold .jal-here")
    before = float(line.get_attribute("x1"))
    press(browser, Keys.ARROW_RIGHT)
    assert slider.get_attribute("aria-valuetext") == "41 %"
    assert float(line.get_attribute("x1")) > before
    assert "noise rate 41 %" in one(browser, "figure.jal-threshold output").text
    press(browser, Keys.END)
    assert "no a suffices for pair noise" in one(browser, "figure.jal-threshold output").text


# The runs behind a table's cells.


def test_pointing_at_a_cell_shows_its_runs_until_the_pointer_leaves(trial, visit):
    browser = visit(trial)
    button = one(browser, CELLS)
    ActionChains(browser).move_to_element(button).perform()
    (panel,) = wait_for_panels(browser, 1)
    assert panel.accessible_name == "CE, clean"
    rows = [row.text.split() for row in panel.find_elements(By.CSS_SELECTOR, "tbody tr")]
    assert [row[0] for row in rows] == ["123", "124", "125"] and rows[0][1:] == [
        "79.99",
        "cuda,",
        "float32",
        "0123456",
    ]
    assert len(panel.find_elements(By.CSS_SELECTOR, "svg .jal-accuracy path")) == 3
    ActionChains(browser).move_to_element(panel).pause(0.5).perform()
    assert len(open_panels(browser)) == 1
    ActionChains(browser).move_to_element(one(browser, "article h1")).perform()
    wait_for_panels(browser, 0)


def test_a_press_keeps_the_runs_and_another_closes_them(trial, visit):
    browser = visit(trial)
    button = one(browser, CELLS)
    ActionChains(browser).move_to_element(button).perform()
    wait_for_panels(browser, 1)
    ActionChains(browser).click().move_to_element(one(browser, "article h1")).pause(0.5).perform()
    assert len(open_panels(browser)) == 1
    assert button.get_attribute("aria-expanded") in (None, "true")
    button.click()
    wait_for_panels(browser, 0)


def test_cells_are_reached_and_left_by_keys(trial, visit):
    browser = visit(trial)
    first = tab_to(browser, CELLS)
    (panel,) = wait_for_panels(browser, 1)
    assert panel.accessible_name == "CE, clean"

    def go(*keys):
        press(browser, *keys)
        (panel,) = wait_for_panels(browser, 1)
        return panel.accessible_name

    assert go(Keys.ARROW_RIGHT) == "CE, symmetric 0.2"
    assert go(Keys.ARROW_DOWN) == "FL, symmetric 0.2"
    assert go(Keys.ARROW_DOWN) == "SCE, symmetric 0.2", "the cell between them has no runs"
    assert go(Keys.END) == "SCE, asymmetric 0.4"
    assert go(Keys.HOME) == "SCE, clean"
    assert go(Keys.ARROW_UP, Keys.ARROW_UP, Keys.ARROW_UP, Keys.ARROW_UP) == "CE, clean"
    assert browser.switch_to.active_element == first
    press(browser, Keys.ESCAPE)
    wait_for_panels(browser, 0)
    press(browser, Keys.ENTER)
    wait_for_panels(browser, 1)
    press(browser, Keys.TAB)
    assert browser.execute_script("return !document.activeElement.closest('table.jal-comparison')")
    assert first.get_attribute("popovertarget") not in [
        panel.get_attribute("id") for panel in open_panels(browser)
    ]


def test_a_tap_opens_the_runs(trial, visit):
    browser = visit(trial, width=400)
    button = one(browser, CELLS)
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
    finger = ActionBuilder(browser, mouse=PointerInput("touch", "finger"))
    finger.pointer_action.move_to(button).pointer_down().pointer_up()
    finger.perform()
    (panel,) = wait_for_panels(browser, 1)
    box = panel.rect
    assert box["x"] >= 0 and box["x"] + box["width"] <= 400


def test_without_scripts_the_runs_open_and_the_figures_are_there(trial, visit, browser):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(trial)
        button = one(browser, CELLS)
        assert browser.find_elements(By.CSS_SELECTOR, "input.jal-slider") == []
        assert one(browser, "figure.jal-threshold .jal-point").is_displayed()
        ActionChains(browser).move_to_element(button).pause(0.5).perform()
        assert open_panels(browser) == []
        ActionChains(browser).click().perform()
        assert len(open_panels(browser)) == 1
        ActionChains(browser).send_keys(Keys.ESCAPE).perform()
        assert open_panels(browser) == []
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_a_cell_without_runs_is_no_button(trial, visit):
    browser = visit(trial)
    row = next(
        r
        for r in browser.find_elements(By.CSS_SELECTOR, ".jal-comparison tbody tr")
        if r.text.startswith("GCE")
    )
    cells = row.find_elements(By.TAG_NAME, "td")
    assert [len(cell.find_elements(By.TAG_NAME, "button")) for cell in cells] == [1, 0, *[1] * 7]
    assert "not run" in cells[1].text


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_drawings_are_legible(trial, visit, theme):
    browser = visit(trial, theme=theme)
    browser.execute_script("document.querySelector('.jal-runs:has(.jal-memorised)').showPopover()")
    time.sleep(0.4)  # the theme fades colours in
    drawn = browser.execute_script(DRAWN)
    assert {"jal-path", "jal-minimiser", "symmetric", "epoch 120"} <= {what for what, _, _ in drawn}
    seen = [(what, contrast(what, colour, behind)[2]) for what, colour, behind in drawn]
    faint = [(what, ratio) for what, ratio in seen if ratio < (3 if str(what).startswith("jal-") else 4.5)]
    assert faint == []
    ground = blend(drawn[0][2])
    assert min(ground) > 0.8 if theme == "light" else max(ground) < 0.2


def test_a_large_table_is_a_small_page(trial, trials):
    (file,) = (path for path in trials.rglob("*.html"))
    assert file.name == Path(trial).name
    # Two tables of 14 x 9 cells with 3 runs each.
    assert file.stat().st_size < 1_000_000
