"use strict";
// What the other scripts share: the data of the page, and how to unpack, show and build.
const page = (() => {
  const data = JSON.parse(document.getElementById("data").textContent);

  /** Unpacks JSON that was compressed with gzip and written as base64. */
  async function unpack(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
  }

  /** Hours, minutes and seconds of a time in milliseconds; milliseconds too if `exact`. */
  function clock(time, exact = false) {
    const seconds = exact ? Math.floor(time / 1000) : Math.round(time / 1000);
    const two = (number) => String(number).padStart(2, "0");
    const text = `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
    return exact ? `${text}.${String(Math.round(time) % 1000).padStart(3, "0")}` : text;
  }

  /** A new element. Children that are strings become text, never markup. */
  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  /** Text with what stands between backticks as code. */
  function marked(text) {
    return text.split("`").map((part, at) => (at % 2 ? element("code", {}, part) : part));
  }

  function show(...elements) {
    for (const one of elements) one.hidden = false;
  }

  /** Calls a function once, when a section comes into view: what nobody looks at costs nothing. */
  function whenSeen(section, call) {
    new IntersectionObserver((entries, observer) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      call();
    }).observe(section);
  }

  return { data, unpack, clock, element, marked, show, whenSeen };
})();
