"use strict";
// Opens given.page in frames of given.widths and writes what it finds into <pre id="found">.

const luminance = ([red, green, blue]) => {
  const linear = (value) => (value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
};
const numbers = (color) => color.match(/[\d.]+/g).map(Number);

const background = (view, element) => {
  for (let one = element; one; one = one.parentElement) {
    const color = numbers(view.getComputedStyle(one).backgroundColor);
    if (color.length < 4 || color[3] > 0) return color;
  }
  return [255, 255, 255];
};

// The lowest contrast of any text with what is behind it, as WCAG defines it.
const contrast = (view) => {
  let worst = { ratio: 21, text: "" };
  const walker = view.document.createTreeWalker(view.document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    const element = walker.currentNode.parentElement;
    if (!text || !element.checkVisibility() || element.tagName === "SCRIPT") continue;
    const [light, dark] = [numbers(view.getComputedStyle(element).color), background(view, element)]
      .map(luminance)
      .sort((a, b) => b - a);
    const ratio = (light + 0.05) / (dark + 0.05);
    if (ratio < worst.ratio) worst = { ratio, text: text.slice(0, 60) };
  }
  return worst;
};

// Sorts every table by every column, down and up; notes columns that are not in order then.
const sorting = (page) => {
  const tables = [...page.querySelectorAll("table.sortable")];
  const wrong = [];
  for (const table of tables) {
    const name = table.closest("[aria-label]")?.getAttribute("aria-label");
    const count = table.tBodies[0].rows.length;
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      for (const direction of ["ascending", "descending"]) {
        head.querySelector("[role=button]").click();
        const values = [...table.tBodies[0].rows].map((row) => row.cells[column].dataset.value).filter((value) => value !== "");
        const sign = direction === "ascending" ? 1 : -1;
        const ordered = values.slice(1).every((value, index) => {
          const before = values[index];
          const bothNumbers = !isNaN(before) && !isNaN(value);
          return sign * (bothNumbers ? value - before : value.localeCompare(before, "en", { numeric: true })) >= 0;
        });
        const others = [...table.tHead.rows[0].cells].filter((other) => other.getAttribute("aria-sort") !== "none");
        const marked = others.length === 1 && head.getAttribute("aria-sort") === direction;
        if (!ordered || !marked || table.tBodies[0].rows.length !== count) wrong.push(`${name}: ${head.textContent} ${direction}`);
      }
    });
  }
  return { tables: tables.length, wrong };
};

// Whether Enter on a heading sorts by it, and Space turns the order round.
const pressed = (view, button) => {
  const after = (key) => {
    button.dispatchEvent(new view.KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
    return button.closest("th").getAttribute("aria-sort");
  };
  return after("Enter") === "ascending" && after(" ") === "descending";
};

const inspect = async (frame) => {
  const view = frame.contentWindow, page = frame.contentDocument;
  const images = [...page.images];
  const decoded = await Promise.allSettled(images.map((image) => image.decode()));
  const root = page.documentElement;
  for (const folded of page.querySelectorAll("details")) folded.open = true;
  const wide = [...page.body.querySelectorAll("*")].filter(
    (element) => !element.closest(".scroll, .paper") && element.getBoundingClientRect().right > view.innerWidth + 0.5 && element.checkVisibility()
  );
  const first = page.querySelector("table.sortable thead [role=button]");
  first?.focus();
  return {
    problems: view.problems,
    width: view.innerWidth,
    overflow: root.scrollWidth - view.innerWidth,
    wide: wide.slice(0, 5).map((element) => element.outerHTML.slice(0, 120)),
    cutTables: [...page.querySelectorAll(".scroll")].filter((box) => box.scrollWidth > box.clientWidth + 1).map((box) => box.getAttribute("aria-label")),
    images: images.length,
    undecoded: images.filter((image, index) => decoded[index].status === "rejected" || !image.naturalWidth).length,
    withoutText: images.filter((image) => !image.alt).length,
    keyboard: !!first && page.activeElement === first && pressed(view, first),
    background: view.getComputedStyle(page.body).backgroundColor,
    contrast: contrast(view),
    sorting: sorting(page),
    outside: view.performance.getEntriesByType("resource").map((entry) => entry.name).filter((name) => !name.startsWith("data:")),
  };
};

const open = (width) =>
  new Promise((resolve) => {
    const frame = document.createElement("iframe");
    frame.style.cssText = `width: ${width}px; height: 900px; border: 0; display: block`;
    frame.addEventListener("load", () => inspect(frame).then(resolve, (error) => resolve({ error: String(error) })));
    frame.srcdoc = given.page;
    document.body.append(frame);
  });

Promise.all(given.widths.map(open)).then((found) => {
  const result = document.createElement("pre");
  result.id = "found";
  result.textContent = JSON.stringify(Object.fromEntries(given.widths.map((width, index) => [width, found[index]])));
  document.body.replaceChildren(result);
});
