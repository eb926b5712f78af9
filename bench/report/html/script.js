"use strict";
// Sorts tables, filters by words, opens what a link leads to. Without it the page holds the same.
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const units = {P: 1e15, T: 1e12, G: 1e9, M: 1e6, k: 1e3, m: 1e-3, µ: 1e-6};
  const value = cell => {
    if (cell.dataset.v !== undefined) return cell.dataset.v === "" ? NaN : Number(cell.dataset.v);
    const found = cell.textContent.trim().replace("−", "-").match(/^(-?[\d,]*\.?\d+(?:e[-+]?\d+)?)\s*(min|h|[PTGMkmµ](?=[A-Z]|s\b))?/);
    if (!found) return NaN;
    const unit = found[2] === "min" ? 60 : found[2] === "h" ? 3600 : units[found[2]] || 1;
    return Number(found[1].replace(/,/g, "")) * unit;
  };
  const compare = (column, turn) => (a, b) => {
    const [x, y] = [a, b].map(row => row.cells[column]);
    if (!x || !y) return 0;
    const [m, n] = [value(x), value(y)];
    if (!isNaN(m) && !isNaN(n)) return turn * (m - n);
    if (isNaN(m) !== isNaN(n)) return isNaN(m) ? 1 : -1;
    return turn * x.textContent.localeCompare(y.textContent, "en", {numeric: true});
  };
  for (const table of all("table.sort:not(.text)")) {
    const body = table.tBodies[0], heads = all("thead th", table);
    if (!body || body.rows.length < 3) continue;
    heads.forEach((head, column) => {
      if (!head.textContent.trim() || head.classList.contains("w")) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const turn = head.getAttribute("aria-sort") === "descending" ? 1 : head.getAttribute("aria-sort") ? -1 : head.classList.contains("r") ? -1 : 1;
        heads.forEach(other => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", turn > 0 ? "ascending" : "descending");
        body.append(...[...body.rows].sort(compare(column, turn)));
      });
    });
  }
  const bar = document.getElementById("bar");
  const targets = all(".f").map(element => [element, (element.getAttribute("data-f") || element.textContent).toLowerCase()]);
  if (bar && targets.length) {
    const label = document.createElement("label"), input = document.createElement("input"), said = document.createElement("output");
    label.textContent = "Show only";
    label.htmlFor = input.id = "filter";
    input.type = "search";
    input.placeholder = "a task, a model, a regime …";
    bar.append(label, input, said);
    bar.hidden = false;
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const [element, text] of targets) {
        const keep = words.every(word => text.includes(word));
        element.hidden = !keep;
        shown += keep;
      }
      said.textContent = words.length ? `${shown} of ${targets.length} charts, tables and rows` : "";
    });
  }
  const open = () => {
    let element = location.hash.length > 1 ? document.getElementById(location.hash.slice(1)) : null;
    const target = element;
    for (; element; element = element.parentElement) if (element.tagName === "DETAILS") element.open = true;
    if (target) target.scrollIntoView();
  };
  addEventListener("hashchange", open);
  addEventListener("beforeprint", () => all("details.part").forEach(part => { part.open = true; }));
  open();
})();
