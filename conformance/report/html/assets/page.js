"use strict";
// Starts the parts of the page, and connects links to them.
timeline.start();
cases.start();

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-node], a[data-function]");
  if (link === null) return;
  const { node, start, end, lanes, function: name } = link.dataset;
  if (name !== undefined) cases.only(name);
  else timeline.open(node, start * 1000, end * 1000, lanes);
});

// Printed, every detail is open.
let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")].filter((one) => one.id !== "changes");
  for (const one of opened) one.open = true;
});
addEventListener("afterprint", () => {
  for (const one of opened) one.open = false;
});
