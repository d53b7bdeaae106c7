"""The script of the index: search, filters, sorting and groups over the table that is already on the page."""

from __future__ import annotations

SCRIPT = """
(() => {
  const state = { column: -1, down: false };
  const byId = (id) => document.getElementById(id);
  const text = (row, column) => row.cells[column].firstChild ? row.cells[column].innerText.split("\\n")[0].replace(/^best(, )?/, "") : "";
  const key = (row, column) => {
    const cell = row.cells[column];
    return "key" in cell.dataset ? (cell.dataset.key === "" ? null : Number(cell.dataset.key)) : text(row, column);
  };
  const rows = () => [...byId("runs").tBodies[0].rows].filter((row) => !row.classList.contains("group"));
  const compare = (a, b) => {
    if (a === null || b === null) return (a === null) - (b === null);
    return (typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true })) * (state.down ? -1 : 1);
  };
  function show() {
    if (!byId("controls")) return;
    const body = byId("runs").tBodies[0];
    body.querySelectorAll(".group").forEach((row) => row.remove());
    const words = byId("search").value.toLowerCase().split(/\\s+/).filter(Boolean);
    const chosen = [...document.querySelectorAll("[data-column]")].filter((one) => one.value);
    let count = 0;
    for (const row of rows()) {
      const whole = (row.innerText + " " + row.title).toLowerCase();
      const fits = words.every((word) => whole.includes(word)) && chosen.every((one) => text(row, one.dataset.column) === one.value) &&
        (!byId("best").checked || row.dataset.best === "1");
      row.hidden = !fits;
      count += fits;
    }
    const all = rows();
    if (state.column >= 0) all.sort((a, b) => compare(key(a, state.column), key(b, state.column)));
    const group = byId("group").value;
    if (group !== "") all.sort((a, b) => text(a, group).localeCompare(text(b, group), undefined, { numeric: true }));
    let last = null;
    for (const row of all) {
      if (group !== "" && !row.hidden && text(row, group) !== last) {
        last = text(row, group);
        const head = body.insertRow();
        head.className = "group";
        const cell = document.createElement("th");
        cell.colSpan = row.cells.length;
        cell.scope = "rowgroup";
        cell.textContent = last || "none";
        head.append(cell);
      }
      body.append(row);
    }
    byId("count").textContent = count + " of " + all.length + " runs";
  }
  function listen() {
    if (!byId("controls")) return;
    byId("controls").addEventListener("input", show);
    byId("controls").addEventListener("submit", (event) => event.preventDefault());
    [...byId("runs").tHead.rows[0].cells].forEach((head, column) => head.firstChild.addEventListener("click", () => {
      state.down = state.column === column && !state.down;
      state.column = column;
      [...head.parentNode.cells].forEach((one) => one.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      show();
    }));
  }
  listen();
  if (!LIVE) return;
  let tag = null;
  setInterval(async () => {
    try {
      const answer = await fetch("state", { cache: "no-store" });
      const now = await answer.text();
      document.body.classList.remove("gone");
      if (tag !== null && now !== tag) {
        const fresh = new DOMParser().parseFromString(await (await fetch("index.html", { cache: "no-store" })).text(), "text/html");
        byId("runs").tBodies[0].replaceWith(fresh.getElementById("runs").tBodies[0]);
        show();
      }
      tag = now;
    } catch {
      document.body.classList.add("gone");
    }
  }, 2000);
})();
"""
