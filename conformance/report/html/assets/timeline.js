"use strict";
// The timeline of one node at a time, drawn with vis-timeline when the section comes into view.
const timeline = (() => {
  // Groups of lanes in the order in which they are drawn; the last ones are hidden at first.
  const GROUPS = [
    ["failures", "Failures", true],
    ["cell", "Cells", true],
    ["labels", "Labels", true],
    ["deploy", "Deploy labels", true],
    ["pods", "Operand pods", true],
    ["allocatable", "Allocatable", true],
    ["node", "Node", true],
    ["workload", "Other pods", false],
    ["capacity", "Capacity", false],
    ["other", "Other labels", false],
  ];
  const PREFIXES = { deploy: "deploy", pods: "pod", allocatable: "allocatable", capacity: "capacity", node: "node" };
  const SMALLEST = 2000; // of this many parts of the window; shorter stretches are left out until somebody zooms in
  const chart = document.getElementById("chart");
  const node = document.getElementById("timeline-node");
  const cell = document.getElementById("timeline-cell");
  const filter = document.getElementById("timeline-filter");
  const groups = document.getElementById("timeline-groups");
  const status = document.getElementById("timeline-status");
  const changes = document.getElementById("changes");
  let drawn = null; // the vis.Timeline of the node that is shown
  let shown = null; // its node, lanes and items

  /** Rows of numbers as items; see `packing.table`. */
  function items({ lanes, words, rows }, failures) {
    const found = [];
    let start = 0;
    for (let at = 0; at < rows.length; at += 6) {
      const [lane, later, length, text, tone, detail] = rows.slice(at, at + 6);
      start += later;
      const [group, name] = lanes[lane];
      found.push({ group, lane: name, start, length, text: words[text], tone: words[tone], detail: words[detail] });
    }
    for (const [from, until, anchor, text] of failures) {
      found.push({ group: "failures", lane: "failures", start: from, length: until - from, text, tone: "bad", anchor });
    }
    return found;
  }

  function item(one, id) {
    const moment = one.length < 0;
    const end = moment ? "" : ` to ${page.clock(one.start + one.length, true)}`;
    const lines = [`${one.lane}: ${one.text}`, `${page.clock(one.start, true)}${end}`, one.detail ?? ""];
    return {
      id,
      group: `${one.group}/${one.lane}`,
      start: one.start,
      ...(moment ? { type: "point" } : { type: "range", end: one.start + one.length }),
      content: page.element("span", {}, moment ? "" : one.text),
      title: page.element("div", {}, ...lines.filter(Boolean).map((line) => page.element("p", {}, line))),
      className: `tone-${one.tone} of-${one.group}`,
      one,
    };
  }

  /** Whether something failed in a cell. */
  const failedIn = (cell) => shown.failures.some(([, , , , start]) => start === cell.start);

  function background(one, id) {
    const bad = failedIn(one);
    const className = bad ? "failed-cell" : id % 2 ? "odd-cell" : "even-cell";
    return { id: `cell-${id}`, start: one.start, end: one.start + one.length, type: "background", content: "", className };
  }

  /** The cell of the first failure and the lanes that show it; without a failure, the whole run. */
  function atFirstFailure({ failures }) {
    if (!failures.length) return { window: undefined, lanes: "" };
    const [, end, , , start, lanes] = failures[0];
    return { window: [start, end], lanes };
  }

  /** Shows groups of lanes that are hidden at first; their names are separated by spaces. */
  function choose(lanes) {
    for (const group of lanes.split(" ").filter(Boolean)) groups.querySelector(`input[value="${group}"]`).checked = true;
    if (lanes && drawn !== null) tell();
  }

  /** Shows a node at a time in milliseconds; without one, at its first failure, or the whole run. */
  async function open(name, from, until, lanes = "") {
    const told = page.data.nodes.find((one) => one.name === name) ?? page.data.nodes[0];
    if (told === undefined) return;
    node.value = told.name;
    const view = from === undefined ? atFirstFailure(told) : { window: [from, until], lanes };
    choose(view.lanes);
    if (shown?.name !== told.name) await draw(told, view.window);
    else if (drawn !== null && from !== undefined) go(from, until);
  }

  async function draw(told, first) {
    drawn?.destroy();
    drawn = null;
    chart.replaceChildren();
    shown = { name: told.name, failures: told.failures, all: [], cells: [] };
    if (!told.timeline) {
      status.textContent = `No change of ${told.name} was seen.`;
      chart.hidden = true;
      return;
    }
    page.show(chart, document.getElementById("chart-help"), changes);
    shown.all = items(await page.unpack(told.timeline), told.failures);
    shown.cells = shown.all.filter((one) => one.group === "cell");
    fillCells();
    const begin = shown.all.reduce((least, one) => Math.min(least, one.start), Infinity);
    const end = shown.all.reduce((most, one) => Math.max(most, one.start + Math.max(one.length, 0)), begin + 1);
    const margin = (end - begin) * 0.01;
    shown.window = [begin - margin, end + margin];
    const opened = first ? around(first[0], first[1]) : shown.window;
    shown.groups = new vis.DataSet(laneGroups());
    shown.view = new vis.DataView(new vis.DataSet([...shown.all.map(item), ...shown.cells.map(background)]), { filter: visible });
    drawn = new vis.Timeline(chart, shown.view, shown.groups, {
      start: opened[0],
      end: opened[1],
      min: shown.window[0] - margin,
      max: shown.window[1] + margin,
      zoomMin: 500,
      zoomKey: "ctrlKey",
      stack: false,
      selectable: false,
      showCurrentTime: false,
      showMajorLabels: false,
      orientation: "top",
      align: "auto",
      margin: { axis: 3, item: { horizontal: 0, vertical: 3 } },
      moment: (date) => vis.moment(date).utc(),
      format: { minorLabels: (date, scale) => (date < 0 ? "" : page.clock(date.valueOf(), scale === "millisecond")) },
      tooltip: { followMouse: true, overflowMethod: "flip", delay: 150 },
      groupOrder: (one, other) => one.order - other.order,
    });
    drawn.on("rangechanged", tell);
    drawn.on("click", ({ item: id }) => {
      const anchor = id === null ? undefined : shown.view.get(id)?.one?.anchor;
      if (anchor) location.hash = anchor;
    });
    tell();
  }

  function laneGroups() {
    const names = [...new Set(shown.all.map((one) => `${one.group}/${one.lane}`))];
    const rank = (name) => GROUPS.findIndex(([group]) => name.startsWith(`${group}/`));
    names.sort((one, other) => rank(one) - rank(other) || one.localeCompare(other));
    return names.map((id, order) => ({ id, order, content: title(id), className: `lane-${GROUPS[rank(id)][0]}` }));
  }

  function title(id) {
    const [group, ...name] = id.split("/");
    const prefix = PREFIXES[group] ? [page.element("span", { class: "prefix" }, `${PREFIXES[group]} `)] : [];
    const short = name.join("/").replace(/^nvidia\.com\//, "").replace(/^nvidia-/, "").replace(/-daemonset$/, "");
    return page.element("span", { title: id }, ...prefix, short);
  }

  function fillCells() {
    cell.replaceChildren(page.element("option", { value: "" }, "a cell …"));
    shown.cells.forEach((one, at) => {
      const failed = failedIn(one);
      cell.append(page.element("option", { value: at }, `${page.clock(one.start)} ${one.text}${failed ? ", failed" : ""}`));
    });
  }

  const chosen = (group) => groups.querySelector(`input[value="${group}"]`)?.checked ?? true;

  function matches(one) {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const text = `${one.lane} ${one.text} ${one.detail ?? ""}`.toLowerCase();
    return chosen(one.group) && (["failures", "cell"].includes(one.group) || words.every((word) => text.includes(word)));
  }

  /** Whether an item is drawn: chosen, matching, and not too short to be seen. */
  function visible({ one, type }) {
    if (type === "background") return true;
    const { start, end } = drawn === null ? { start: shown.window[0], end: shown.window[1] } : drawn.getWindow();
    const long = one.length < 0 || one.tone === "bad" || one.length >= (end - start) / SMALLEST;
    return long && matches(one);
  }

  /** Redraws what is in the window, and says what that is. */
  function tell() {
    shown.view.refresh();
    const { start, end } = drawn.getWindow();
    const inside = shown.all.filter((one) => one.start <= end && one.start + Math.max(one.length, 0) >= start && matches(one));
    const lanes = new Set(inside.map((one) => `${one.group}/${one.lane}`));
    shown.groups.update(shown.groups.map(({ id }) => ({ id, visible: lanes.has(id) })));
    const short = inside.filter((one) => !visible({ one })).length;
    const hidden = short ? `; too short to be drawn: ${short}, zoom in to see more` : "";
    status.textContent = `${shown.name}, ${page.clock(Math.max(start, 0))} to ${page.clock(end)}: ${inside.length} stretches in ${lanes.size} lanes${hidden}.`;
    if (changes.open) list(inside);
  }

  function list(inside) {
    const { element, clock } = page;
    const row = (one) => [
      clock(one.start, true), one.length < 0 ? "" : clock(one.start + one.length, true), one.lane, one.text, one.detail ?? "",
    ];
    const rows = inside.slice(0, 300).map((one) => element("tr", {}, ...row(one).map((text) => element("td", {}, text))));
    if (inside.length > 300) rows.push(element("tr", {}, element("td", { colspan: 5 }, `and ${inside.length - 300} more; zoom in`)));
    changes.querySelector("tbody").replaceChildren(...rows);
  }

  /** A time with a margin. */
  function around(from, until) {
    const margin = Math.max((until - from) * 0.05, 500);
    return [from - margin, until + margin];
  }

  function go(from, until) {
    drawn.setWindow(...around(from, until), { animation: false });
  }

  /** Moves to the cell before or after the middle of the window. */
  function step(by) {
    const { start, end } = drawn.getWindow();
    const middle = (start.valueOf() + end.valueOf()) / 2;
    const at = shown.cells.findLastIndex((one) => one.start <= middle);
    const next = shown.cells[Math.min(Math.max(at + by, 0), shown.cells.length - 1)];
    if (next) go(next.start, next.start + next.length);
  }

  function slide(part) {
    const { start, end } = drawn.getWindow();
    const by = (end - start) * part;
    drawn.setWindow(start.valueOf() + by, end.valueOf() + by, { animation: false });
  }

  const MOVES = {
    in: () => drawn.zoomIn(0.5, { animation: false }),
    out: () => drawn.zoomOut(0.5, { animation: false }),
    earlier: () => slide(-0.25),
    later: () => slide(0.25),
    all: () => drawn.setWindow(...shown.window, { animation: false }),
    next: () => step(1),
    previous: () => step(-1),
  };
  const KEYS = { "+": "in", "=": "in", "-": "out", ArrowLeft: "earlier", ArrowRight: "later", 0: "all", n: "next", p: "previous" };

  function move(name) {
    if (drawn !== null && MOVES[name]) MOVES[name]();
  }

  function start() {
    const section = document.getElementById("timeline");
    page.show(section.querySelector(".controls"));
    for (const { name, failures } of page.data.nodes) {
      const failed = failures.length ? `, failures in ${failures.length} stays` : "";
      node.append(page.element("option", { value: name }, name + failed));
    }
    for (const [group, title, on] of GROUPS.slice(1)) {
      const box = page.element("input", { type: "checkbox", value: group, ...(on ? { checked: "" } : {}) });
      groups.append(page.element("label", {}, box, title));
    }
    node.addEventListener("change", () => open(node.value));
    cell.addEventListener("change", () => {
      const one = shown.cells[cell.value];
      if (one) go(one.start, one.start + one.length);
    });
    groups.addEventListener("change", () => drawn && tell());
    filter.addEventListener("input", () => drawn && tell());
    changes.addEventListener("toggle", () => drawn && tell());
    section.querySelector(".buttons").addEventListener("click", (event) => move(event.target.dataset.move));
    chart.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
      event.preventDefault();
      move(KEYS[event.key]);
    });
    const first = page.data.nodes.find((one) => one.failures.length) ?? page.data.nodes[0];
    page.whenSeen(section, () => first && shown === null && open(first.name));
  }

  return { start, open };
})();
