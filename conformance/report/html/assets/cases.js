"use strict";
// The list of all cases: filtered, and drawn a hundred rows at a time.
const cases = (() => {
  const STEP = 100;
  const section = document.getElementById("cases");
  const outcome = document.getElementById("cases-outcome");
  const requirement = document.getElementById("cases-requirement");
  const filter = document.getElementById("cases-filter");
  const body = section.querySelector("tbody");
  const more = document.getElementById("cases-more");
  let all = null;
  let matching = [];

  async function load() {
    if (all !== null) return;
    const { words, functions, rows } = await page.unpack(page.data.cases);
    if (all !== null) return;
    all = [];
    for (let at = 0; at < rows.length; at += 5) {
      const [ended, name, node, cell] = rows.slice(at, at + 4).map((number) => words[number]);
      const [statement, requirements] = functions[name] ?? ["", []];
      const text = [name, node, cell, statement].join(" ").toLowerCase();
      all.push({ ended, name, node, cell, statement, requirements, duration: rows[at + 4], text });
    }
    for (const name of new Set(all.map((one) => one.ended))) outcome.append(page.element("option", {}, name));
  }

  async function update() {
    await load();
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    matching = all.filter(
      (one) =>
        (!outcome.value || one.ended === outcome.value) &&
        (!requirement.value || one.requirements.includes(requirement.value)) &&
        words.every((word) => one.text.includes(word)),
    );
    body.replaceChildren();
    draw();
  }

  function draw() {
    const { element, marked } = page;
    for (const one of matching.slice(body.rows.length, body.rows.length + STEP)) {
      body.append(
        element(
          "tr",
          {},
          element("td", {}, element("span", { class: `chip ${one.ended}` }, one.ended)),
          element("td", { class: "id" }, one.requirements.join(" ")),
          element("td", {}, ...marked(one.statement), element("span", { class: "function" }, one.name)),
          element("td", { class: "name" }, one.node),
          element("td", {}, one.cell),
          element("td", { class: "number" }, (one.duration / 1000).toFixed(1)),
        ),
      );
    }
    more.hidden = body.rows.length >= matching.length;
    document.getElementById("cases-status").textContent =
      `${body.rows.length} of ${matching.length} cases that match, ${all.length} in all`;
  }

  /** Shows the cases of one function. */
  function only(name) {
    outcome.value = "";
    requirement.value = "";
    filter.value = name;
    return update();
  }

  function start() {
    page.show(section.querySelector(".controls"), document.getElementById("cases-table"));
    for (const control of [outcome, requirement]) control.addEventListener("change", update);
    filter.addEventListener("input", update);
    more.addEventListener("click", draw);
    page.whenSeen(section, update);
  }

  return { start, only };
})();
