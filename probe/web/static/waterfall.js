// Says the phases of the request that the pointer or the keyboard is at. Without this they stand in the table below it.

const said = document.getElementById("water-said");
const rows = document.querySelectorAll("tr.water-row");
if (said && rows.length) {
  said.hidden = false;
  said.textContent = "Point at a request, or go to it with Tab, to see where its time went.";
  const tell = (event) => {
    const row = event.target.closest?.("tr.water-row");
    if (row) said.textContent = `${row.querySelector("th").title}: ${row.dataset.said || "no phases are known"}`;
  };
  for (const row of rows) row.tabIndex = 0;
  for (const table of document.querySelectorAll("table.water")) {
    table.addEventListener("pointerover", tell);
    table.addEventListener("focusin", tell);
  }
}
