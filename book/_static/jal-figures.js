// The book's moving figures: one script for all of them, no library.
//
// A page holds <figure class="jal-simplex" data-weights="0.5,0.3,0.2" data-a="2" data-a-max="8"> around a drawing
// that is complete without this script. The script adds the sliders and moves what they move.
// The drawing: the simplex of three classes, class 1 being the true one, and the weighted risk of AMSE with q = 2,
// whose minimiser is the point of the simplex nearest to a w.
(function () {
  "use strict";

  const LEVELS = 12;
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const squared = (u, v) => sum(u.map((value, k) => (value - v[k]) ** 2));

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

  // The smallest a for which the minimiser is the vertex of class 1; Infinity where class 1 does not dominate.
  function threshold(weights) {
    const margin = weights[0] - Math.max(...weights.slice(1));
    return margin > 1e-9 ? sum(weights) / margin : Infinity;
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

  function slider(label, low, high, value, onInput) {
    const row = document.createElement("label");
    const input = document.createElement("input");
    const shown = document.createElement("span");
    row.className = "jal-control";
    shown.className = "jal-value";
    Object.assign(input, { type: "range", className: "jal-slider", min: low, max: high, step: 0.01, value });
    const show = () => { shown.textContent = Number(input.value).toFixed(2); };
    input.addEventListener("input", () => { show(); onInput(); });
    row.append(Object.assign(document.createElement("span"), { textContent: label }), input, shown);
    show();
    return { row, value: () => Number(input.value) };
  }

  function start(figure) {
    const find = (selector) => figure.querySelector(selector);
    // The drawing says where the corners are, so the geometry is written once.
    const corners = find(".jal-triangle").getAttribute("points").trim().split(/\s+/).map((pair) => pair.split(",").map(Number));
    const scale = Math.hypot(corners[0][0] - corners[1][0], corners[0][1] - corners[1][1]) / Math.SQRT2;
    const place = (point) => [0, 1].map((axis) => sum(point.map((p, k) => p * corners[k][axis])));
    const set = (element, attributes) => Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));

    // a w seen in the plane of the simplex: a times its deviation from the middle.
    const centreOf = (weights, a) => {
      const total = sum(weights);
      return weights.map((weight) => 1 / 3 + a * (weight / total - 1 / 3));
    };

    const initial = figure.dataset.weights.split(",").map(Number);
    const noise = initial[1] + initial[2];
    const highest = Number(figure.dataset.aMax);
    const controls = {
      a: slider("a", 1, highest, Number(figure.dataset.a), draw),
      rate: slider("noise rate", 0, 0.9, noise / sum(initial), draw),
      share: slider("share of the noise that goes to class 2", 0.5, 1, noise > 0 ? initial[1] / noise : 0.5, draw),
    };
    const readout = Object.assign(document.createElement("output"), { className: "jal-readout" });
    readout.setAttribute("aria-live", "polite");
    const panel = Object.assign(document.createElement("div"), { className: "jal-controls" });
    panel.append(...Object.values(controls).map((control) => control.row), readout);
    find("svg").after(panel);

    function draw() {
      const a = controls.a.value();
      const rate = controls.rate.value();
      const share = controls.share.value();
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
      readout.textContent = describe(weights, a);
    }
    draw();
  }

  if (typeof document === "undefined") {
    module.exports = { minimiser, threshold, contourRadii, describe };
  } else {
    const startAll = () => document.querySelectorAll("figure.jal-simplex").forEach(start);
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", startAll);
    else startAll();
  }
})();
