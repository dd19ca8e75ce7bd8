// Sort a table by the column whose head is selected; rows without a value stay last.
for (const button of document.querySelectorAll(".summary thead button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th"), place = head.cellIndex;
    const down = head.getAttribute("aria-sort") === "ascending";
    const numbers = !head.classList.contains("words");
    for (const other of head.parentElement.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = (row) => row.cells[place].dataset.key;
    const order = (a, b) => numbers ? Number(a) - Number(b) : a.localeCompare(b);
    const by = (a, b) =>
      key(a) === "" ? (key(b) === "" ? 0 : 1) : key(b) === "" ? -1 : order(key(a), key(b)) * (down ? -1 : 1);
    for (const body of head.closest("table").querySelectorAll("tbody.arms")) body.append(...[...body.rows].sort(by));
  });
}
// Show only the arms of a family, or of a word; without a script all are shown.
for (const form of document.querySelectorAll("form.filters")) {
  form.hidden = false;
  const rows = [...form.nextElementSibling.querySelectorAll("tbody.arms tr")];
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", () => {
    const asked = [...form.querySelectorAll("select")].filter((select) => select.value);
    for (const row of rows) row.hidden = asked.some((select) => row.dataset[select.dataset.column] !== select.value);
    const shown = rows.filter((row) => !row.hidden).length;
    form.querySelector("output").textContent = asked.length ? `${shown} of ${rows.length} arms` : "";
  });
}
// A link to an arm opens it.
const open = () => { const arm = document.getElementById(location.hash.slice(1)); if (arm && "open" in arm) arm.open = true; };
addEventListener("hashchange", open);
open();
