// Draws the panels, links their zoom and hover, follows the theme, and takes a reader from a verdict to its moment.
"use strict";
(function () {
  const data = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;
  const names = Object.keys(data.figures);
  const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");
  const state = { range: [0, data.end], mark: null, hidden: new Set(), printing: false, drawn: false };
  const SHORTEST_S = 1;
  const node = (name) => document.getElementById("panel-" + name);

  // --- theme
  function isDark() {
    return !state.printing && (root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches);
  }
  function showTheme() {
    const button = document.getElementById("theme");
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", isDark() ? "Use the light theme" : "Use the dark theme");
    button.removeAttribute("aria-pressed");
  }
  function remembered() {
    try { return localStorage.getItem("gameday-theme"); } catch (refused) { return null; }
  }
  function remember(theme) {
    try { localStorage.setItem("gameday-theme", theme); } catch (refused) { /* a page from disk may not be allowed to */ }
  }
  // A copy of the figure in the colours of the theme; charts name a colour by its light value.
  function coloured(value) {
    if (typeof value === "string") return (isDark() && data.colours[value]) || value;
    if (Array.isArray(value)) return value.map(coloured);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, coloured(inner)]));
  }

  // --- drawing
  function marks() {
    if (!state.mark) return [];
    const [from, to] = state.mark;
    const place = { xref: "x", yref: "paper", y0: 0, y1: 1, x0: from, x1: to };
    const line = (at) => ({ ...place, type: "line", x0: at, x1: at, line: { color: data.moment.line, width: 2 } });
    const band = { ...place, type: "rect", layer: "below", line: { width: 0 }, fillcolor: data.moment.band };
    return coloured(to > from ? [band, line(from), line(to)] : [line(from)]);
  }
  // Names of the phases along the top, where there is room for them.
  function phaseNames(width) {
    const [from, to] = state.range;
    return data.phases.flatMap((phase) => {
      const start = Math.max(phase.start, from), end = Math.min(phase.end, to);
      const name = phase.name.replace(/_/g, " ");
      if ((end - start) / (to - from) * width < name.length * 6.5 + 8) return [];
      return [{ x: start, xref: "x", y: 1, yref: "paper", xanchor: "left", yanchor: "bottom", text: name,
                showarrow: false, font: { size: 11 }, captureevents: false }];
    });
  }
  function layoutOf(name) {
    const figure = data.figures[name], layout = coloured(figure.layout), element = node(name);
    const narrow = element.clientWidth < 560;
    if (narrow) {
      layout.margin = { ...layout.margin, l: 64, r: 8 };
      layout.font = { ...layout.font, size: 10 };
      layout.xaxis.nticks = 5;
    }
    const width = element.clientWidth - layout.margin.l - layout.margin.r;
    layout.xaxis.range = state.range.slice();
    layout.shapes = (layout.shapes || []).concat(marks());
    layout.annotations = (layout.annotations || []).concat(phaseNames(width));
    layout.dragmode = window.matchMedia("(pointer: coarse)").matches ? false : "zoom";
    return layout;
  }
  function draw(name) {
    const traces = coloured(data.figures[name].data);
    traces.forEach((trace) => { trace.visible = !state.hidden.has(name + "/" + trace.legendgroup); });
    const config = { displayModeBar: false, responsive: false, doubleClick: false, showTips: false };
    return Plotly.react(node(name), traces, layoutOf(name), config);
  }
  function drawAll() { showTheme(); names.forEach(draw); }

  // --- zoom, together
  const rounded = (seconds) => (Math.round(seconds * 10) / 10).toLocaleString("en", { minimumFractionDigits: 1 });
  function tell(words) { document.getElementById("shown").textContent = words; }
  function zoom(from, to, words) {
    const length = Math.min(Math.max(to - from, SHORTEST_S), data.end);
    const middle = (from + to) / 2;
    const start = Math.min(Math.max(0, middle - length / 2), data.end - length);
    const range = [start, start + length];
    const whole = range[0] <= 0 && range[1] >= data.end;
    tell(words || (whole ? "Whole run." : rounded(range[0]) + " to " + rounded(range[1]) + " s."));
    state.range = range;
    names.forEach((name) => {
      const layout = layoutOf(name);
      Plotly.relayout(node(name), { "xaxis.range": range.slice(), shapes: layout.shapes, annotations: layout.annotations });
    });
  }
  function unmark() {
    state.mark = null;
    document.querySelectorAll(".moment[aria-current]").forEach((button) => button.removeAttribute("aria-current"));
    document.getElementById("back").hidden = true;
  }
  const zooms = {
    whole: () => { unmark(); zoom(0, data.end); },
    phase: (button) => zoom(Number(button.dataset.from), Number(button.dataset.to)),
    in: () => scaled(0.5, 0),
    out: () => scaled(2, 0),
    earlier: () => scaled(1, -0.5),
    later: () => scaled(1, 0.5),
  };
  function scaled(factor, shift) {
    const [from, to] = state.range, length = to - from, middle = (from + to) / 2 + shift * length;
    zoom(middle - length * factor / 2, middle + length * factor / 2);
  }
  // To the moment that a verdict speaks of, with enough around it to see what came before.
  function goTo(from, to, words) {
    const around = Math.max(10, (to - from) * 0.6);
    state.mark = [from, to];
    zoom(from - around, to + around, words);
  }
  function follow(button) {
    const from = Number(button.dataset.at), to = Number(button.dataset.until || button.dataset.at);
    unmark();
    button.setAttribute("aria-current", "true");
    goTo(from, to, button.querySelector(".when").textContent + ": " + button.querySelector(".what").textContent);
    try { history.replaceState(null, "", "#at=" + from + "," + to); } catch (refused) { /* shown all the same */ }
    const back = document.getElementById("back");
    back.hidden = false;
    back.onclick = () => { button.scrollIntoView({ block: "center" }); button.focus(); };
    const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    document.getElementById("timeline").scrollIntoView({ behavior: calm ? "auto" : "smooth" });
  }
  function followAddress() {
    const found = /^#at=([\d.]+),([\d.]+)$/.exec(location.hash);
    if (found) goTo(Number(found[1]), Number(found[2]), "Marked: " + found[1] + " to " + found[2] + " s.");
  }
  function onRelayout(change) {
    const from = change["xaxis.range[0]"], to = change["xaxis.range[1]"];
    if (from === undefined || to === undefined) return;
    if (Math.abs(from - state.range[0]) + Math.abs(to - state.range[1]) > 1e-6) zoom(from, to);
  }

  // --- hover, together
  const unified = (name) => data.figures[name].layout.hovermode === "x unified";
  function onHover(name, event) {
    const at = event.xvals ? event.xvals[0] : event.points[0].x;
    names.filter((other) => other !== name && unified(other)).forEach((other) => {
      Plotly.Fx.hover(node(other), { xval: at }, "xy");
    });
  }
  function onUnhover(name) {
    names.filter((other) => other !== name).forEach((other) => Plotly.Fx.unhover(node(other)));
  }

  // --- start
  const theme = remembered();
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  drawAll();
  names.forEach((name) => {
    node(name).on("plotly_relayout", onRelayout);
    node(name).on("plotly_doubleclick", () => zooms.whole());
    node(name).on("plotly_hover", (event) => onHover(name, event));
    node(name).on("plotly_unhover", () => onUnhover(name));
  });
  document.getElementById("theme").addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    remember(root.dataset.theme);
    drawAll();
  });
  prefersDark.addEventListener("change", drawAll);
  document.querySelectorAll("[data-zoom]").forEach((button) => {
    button.addEventListener("click", () => zooms[button.dataset.zoom](button));
  });
  document.querySelectorAll(".moment").forEach((button) => button.addEventListener("click", () => follow(button)));
  document.querySelectorAll("button.key").forEach((button) => {
    button.addEventListener("click", () => {
      const group = button.dataset.panel + "/" + button.dataset.group;
      const hide = !state.hidden.delete(group);
      if (hide) state.hidden.add(group);
      const same = "[data-panel='" + button.dataset.panel + "'][data-group='" + button.dataset.group + "']";
      document.querySelectorAll(".key" + same).forEach((key) => key.setAttribute("aria-pressed", String(!hide)));
      draw(button.dataset.panel);
    });
  });
  let resized = 0;
  window.addEventListener("resize", () => { clearTimeout(resized); resized = setTimeout(drawAll, 120); });
  window.addEventListener("beforeprint", () => {
    state.printing = true;
    document.querySelectorAll("details").forEach((details) => { details.open = true; });
    drawAll();
  });
  window.addEventListener("afterprint", () => { state.printing = false; drawAll(); });
  window.addEventListener("hashchange", followAddress);
  followAddress();
})();
