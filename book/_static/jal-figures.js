// The book's moving figures: one script for all of them, no library. What it moves is complete without it.
//
// figure.jal-simplex: the simplex of three classes, class 1 being the true one, and the weighted risk of AMSE with
// q = 2, whose minimiser is the point of the simplex nearest to a w. The script adds the sliders.
// figure.jal-threshold: the smallest a of Theorem 4.1 against the noise rate. The script adds the sliders.
// table.jal-cells: each cell has a button that opens its runs (HTML's own popover, which needs no script). The script
// opens them for whoever points at a cell too, and lets the arrow keys go from cell to cell.
(function () {
  "use strict";

  const LEVELS = 12;
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const squared = (u, v) => sum(u.map((value, k) => (value - v[k]) ** 2));
  const set = (element, attributes) => Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
  const create = (name, properties) => Object.assign(document.createElement(name), properties);

  // Euclidean projection on the simplex: subtract the one shift after which the positive parts sum to 1.
  function project(point) {
    let total = 0;
    let shift = 0;
    [...point].sort((x, y) => y - x).forEach((value, i) => {
      total += value;
      const candidate = (total - 1) / (i + 1);
      if (value > candidate) shift = candidate;
    });
    return point.map((value) => Math.max(value - shift, 0));
  }

  function minimiser(weights, a) {
    const total = sum(weights);
    return project(weights.map((weight) => (a * weight) / total));
  }

  // The smallest a of Theorem 4.1 for a class of weight `own` whose best rival has `rival`, all rivals `others`, of 1 in
  // all; Infinity where it does not lead. The slack of its inequality, divided by a^(q-1), grows with a: a bisection.
  function smallestA(own, rival, others, q) {
    const lead = own - rival;
    if (lead <= 1e-9) return Infinity;
    if (q <= 1) return 1;
    if (q === 2) return Math.max(1, 1 / lead);
    const slack = (logA) =>
      lead + own * Math.expm1((q - 1) * Math.log1p(-Math.exp(-logA))) - others * Math.exp((1 - q) * logA);
    let [low, high] = [0, Math.log(Number.MAX_VALUE)];
    if (slack(high) < 0) return Infinity;
    for (let i = 0; i < 100; i++) {
      const middle = (low + high) / 2;
      if (slack(middle) < 0) low = middle;
      else high = middle;
    }
    return Math.exp(high);
  }

  // The smallest a for which the minimiser is the vertex of class 1.
  function threshold(weights) {
    const [own, ...rivals] = weights.map((weight) => weight / sum(weights));
    return smallestA(own, Math.max(...rivals), sum(rivals), 2);
  }

  // Equal steps of the risk, which is the squared distance to a w up to scale and constant, are circles.
  function contourRadii(centre, nearest) {
    const lowest = squared(centre, nearest);
    const corners = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
    const highest = Math.max(...corners.map((corner) => squared(centre, corner)));
    const steps = Array.from({ length: LEVELS }, (_, i) => lowest + ((highest - lowest) * i) / LEVELS);
    return steps.map(Math.sqrt);
  }

  function describe(weights, a) {
    const point = minimiser(weights, a).map((value) => value.toFixed(2)).join(", ");
    const needed = threshold(weights);
    const where = `a = ${a.toFixed(2)}: the minimiser is (${point}). `;
    if (needed === Infinity) return where + "Class 1 does not dominate, so no a takes it to e₁.";
    // The tolerance forgives the slider's rounding at the threshold itself.
    if (a >= needed * (1 - 1e-9)) return where + `The vertex e₁ is reached, as for every a ≥ ${needed.toFixed(2)}.`;
    return where + `The vertex e₁ needs a ≥ ${needed.toFixed(2)}.`;
  }

  // A range input in a row with its name and its value; `show` puts a value into words.
  function slider(label, { min, max, step = 0.01, value, show = (number) => number.toFixed(2) }, onInput) {
    const row = create("label", { className: "jal-control" });
    const input = create("input", { type: "range", className: "jal-slider", min, max, step, value });
    const shown = create("span", { className: "jal-value" });
    const name = create("span", { textContent: label });
    // The value is in the input already; read out with the name it would be heard twice.
    set(shown, { "aria-hidden": "true" });
    set(input, { "aria-label": label });
    const tell = () => {
      shown.textContent = show(Number(input.value));
      set(input, { "aria-valuetext": shown.textContent });
    };
    input.addEventListener("input", () => { tell(); onInput(); });
    row.append(name, input, shown);
    tell();
    return { row, value: () => Number(input.value) };
  }

  // Puts sliders and a line of text below a figure's drawing. `draw` moves the drawing to the sliders' values, which it
  // takes in their order, and returns the text.
  function control(figure, wanted, draw) {
    const svg = figure.querySelector("svg");
    const readout = create("output", { className: "jal-readout" });
    const panel = create("div", { className: "jal-controls" });
    const sliders = Object.entries(wanted).map(([label, options]) => slider(label, options, update));
    function update() {
      readout.textContent = draw(...sliders.map((one) => one.value()));
      set(svg, { "aria-label": readout.textContent });
    }
    panel.append(...sliders.map((one) => one.row), readout);
    svg.after(panel);
    update();
  }

  function simplex(figure) {
    const find = (selector) => figure.querySelector(selector);
    // The drawing says where the corners are, so the geometry is written once.
    const corners = find(".jal-triangle").getAttribute("points").trim().split(/\s+/).map((pair) => pair.split(",").map(Number));
    const scale = Math.hypot(corners[0][0] - corners[1][0], corners[0][1] - corners[1][1]) / Math.SQRT2;
    const place = (point) => [0, 1].map((axis) => sum(point.map((p, k) => p * corners[k][axis])));

    // a w seen in the plane of the simplex: a times its deviation from the middle.
    const centreOf = (weights, a) => {
      const total = sum(weights);
      return weights.map((weight) => 1 / 3 + a * (weight / total - 1 / 3));
    };

    const initial = figure.dataset.weights.split(",").map(Number);
    const noise = initial[1] + initial[2];
    const highest = Number(figure.dataset.aMax);
    const sliders = {
      "a": { min: 1, max: highest, value: Number(figure.dataset.a) },
      "noise rate": { min: 0, max: 0.9, value: noise / sum(initial) },
      "share of the noise that goes to class 2": { min: 0.5, max: 1, value: noise > 0 ? initial[1] / noise : 0.5 },
    };

    control(figure, sliders, (a, rate, share) => {
      const weights = [1 - rate, rate * share, rate * (1 - share)];
      const nearest = minimiser(weights, a);
      const centre = centreOf(weights, a);
      const [x, y] = place(nearest);
      const [cx, cy] = place(centre);
      const [wx, wy] = place(weights);
      set(find(".jal-minimiser"), { cx: x, cy: y });
      set(find(".jal-weights"), { cx: wx, cy: wy });
      set(find(".jal-target"), { cx, cy });
      set(find(".jal-pull"), { x1: x, y1: y, x2: cx, y2: cy });
      const radii = contourRadii(centre, nearest);
      figure.querySelectorAll(".jal-contours circle").forEach((circle, i) => set(circle, { cx, cy, r: radii[i] * scale }));
      const path = Array.from({ length: 301 }, (_, i) => place(minimiser(weights, 1 + ((highest - 1) * i) / 300)));
      set(find(".jal-path"), { points: path.map((point) => point.map((v) => v.toFixed(2)).join(",")).join(" ") });
      figure.classList.toggle("jal-reached", a >= threshold(weights) * (1 - 1e-9));
      return describe(weights, a);
    });
  }

  const NOISES = {
    symmetric: (K, rate, q) => smallestA(1 - rate, rate / (K - 1), rate, q),
    pair: (K, rate, q) => smallestA(1 - rate, rate, rate, q),
  };

  // A bound from below is rounded up; what the slider's own rounding adds is not.
  const bound = (a) => (Math.ceil(1000 * a - 1e-6) / 1000).toFixed(3);

  function thresholds(figure) {
    const { classes, rate, q, classesMax, qMax, aMax } = Object.fromEntries(
      Object.entries(figure.dataset).map(([name, value]) => [name, Number(value)]));
    const find = (selector) => figure.querySelector(selector);
    const [left, top, width, height] = ["x", "y", "width", "height"].map((name) => Number(find(".jal-frame").getAttribute(name)));
    const x = (value) => left + width * value;
    const y = (a) => top + height * (1 - Math.min(Math.log(a) / Math.log(aMax), 1));
    const percent = (value) => `${Math.round(100 * value)} %`;
    const sliders = {
      "classes K": { min: 2, max: classesMax, step: 1, value: classes, show: String },
      "noise rate η": { min: 0, max: 0.95, value: rate, show: percent },
      "exponent q": { min: 1, max: qMax, step: 0.05, value: q },
    };

    function line(noise, K, q) {
      const points = [];
      for (let i = 0; i <= 400; i++) {
        const a = noise(K, i / 400, q);
        if (a <= aMax) points.push(`${x(i / 400).toFixed(1)},${y(a).toFixed(1)}`);
      }
      return points.join(" ");
    }

    control(figure, sliders, (K, rate, q) => {
      set(find(".jal-here"), { x1: x(rate), x2: x(rate) });
      const words = Object.entries(NOISES).map(([name, noise]) => {
        const a = noise(K, rate, q);
        set(find(`.jal-line.jal-${name}`), { points: line(noise, K, q) });
        const point = find(`.jal-point.jal-${name}`);
        set(point, { transform: `translate(${x(rate)} ${y(a)})`, "data-a": a });
        // Beyond the drawing's upper edge there is nothing to point at.
        point.style.display = a <= aMax ? "" : "none";
        return a === Infinity ? `no a suffices for ${name} noise` : `${name} noise needs a ≥ ${bound(a)}`;
      });
      return `K = ${K}, noise rate ${percent(rate)}, q = ${Number(q.toFixed(2))}: ${words.join(", ")}.`;
    });
  }

  const DELAY = 150; // ms, so that a pointer passing over a table opens nothing, and reaches what it opened

  function cells(table) {
    const rows = [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) => cell.querySelector("button")));
    const buttons = rows.flat().filter(Boolean);
    // One stop of the Tab key for the whole table: the cell that had the focus last.
    const current = (chosen) => buttons.forEach((button) => { button.tabIndex = button === chosen ? 0 : -1; });
    current(buttons[0]);
    buttons.forEach(panelOf);
    table.addEventListener("focusin", (event) => { if (buttons.includes(event.target)) current(event.target); });
    table.addEventListener("keydown", (event) => {
      const row = rows.findIndex((some) => some.includes(event.target));
      if (row < 0 || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
      const column = rows[row].indexOf(event.target);
      const down = rows.map((some) => some[column]);
      const ways = {
        ArrowRight: rows[row].slice(column + 1),
        ArrowLeft: rows[row].slice(0, column).reverse(),
        ArrowDown: down.slice(row + 1),
        ArrowUp: down.slice(0, row).reverse(),
        Home: rows[row],
        End: [...rows[row]].reverse(),
      };
      if (!ways[event.key]) return;
      event.preventDefault();
      ways[event.key].find(Boolean)?.focus();
    });
  }

  // A press, which needs no script, keeps a cell's runs open; pointing at the cell, or its focus, shows them meanwhile.
  function panelOf(button) {
    const panel = document.getElementById(button.getAttribute("popovertarget"));
    // A browser that knows no popovers shows all panels below the table.
    if (!("popover" in panel)) return;
    const isOpen = () => panel.matches(":popover-open");
    let kept = false;
    let timer = 0;
    const open = () => { if (!isOpen()) panel.showPopover({ source: button }); };
    const close = () => { if (isOpen() && !kept) panel.hidePopover(); };
    const soon = (action) => { clearTimeout(timer); timer = setTimeout(action, DELAY); };
    panel.addEventListener("toggle", (event) => { if (event.newState === "closed") kept = false; });
    for (const place of [button, panel]) {
      place.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse") soon(open); });
      place.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") soon(close); });
    }
    button.addEventListener("focus", () => { if (button.matches(":focus-visible")) open(); });
    button.addEventListener("blur", (event) => {
      // To another place of the page; a press on what is open, to copy from it, is none.
      if (event.relatedTarget) kept = false;
      close();
    });
    button.addEventListener("click", (event) => {
      clearTimeout(timer);
      if (isOpen() && !kept) event.preventDefault();
      kept = true;
    });
  }

  const KINDS = { "figure.jal-simplex": simplex, "figure.jal-threshold": thresholds, "table.jal-cells": cells };

  if (typeof document === "undefined") {
    module.exports = { minimiser, threshold, contourRadii, describe, smallestA };
  } else {
    const startAll = () => {
      for (const [selector, start] of Object.entries(KINDS)) document.querySelectorAll(selector).forEach(start);
    };
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", startAll);
    else startAll();
  }
})();
