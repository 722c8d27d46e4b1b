// A stretch of time chosen in a chart: drag over it, or use the arrows. It ends in the two fields of the page, and is shown.

const form = document.getElementById("range");
const from = document.getElementById("from");
const to = document.getElementById("to");
const PARTS = 48; // how finely the arrows choose
const LEAST = 4; // pixels below which a drag is a click

function rfc3339(time) {
  return `${new Date(time).toISOString().slice(0, 19)}Z`;
}

function brushable(area) {
  const start = Date.parse(area.dataset.start);
  const span = Date.parse(area.dataset.end) - start;
  let band = null;
  let anchor = 0;
  let range = [0, 1];

  /** Show a stretch, in shares of the width, and write it into the fields. */
  function choose(a, b) {
    range = [Math.min(a, b), Math.max(a, b)];
    if (!band) {
      band = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      band.setAttribute("class", "chosen");
      band.setAttribute("height", "200");
      area.querySelector("svg").append(band);
    }
    band.setAttribute("x", String(range[0] * 1000));
    band.setAttribute("width", String((range[1] - range[0]) * 1000));
    from.value = rfc3339(start + range[0] * span);
    to.value = rfc3339(start + range[1] * span);
  }

  function clear() {
    band?.remove();
    band = null;
    range = [0, 1];
    from.value = rfc3339(start);
    to.value = rfc3339(start + span);
  }

  function share(event) {
    const box = area.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  }

  area.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    anchor = share(event);
    let dragged = false;
    const begun = event.clientX;
    const move = (moved) => {
      if (!dragged && Math.abs(moved.clientX - begun) < LEAST) return;
      dragged = true;
      choose(anchor, share(moved));
    };
    const end = (ended) => {
      area.ownerDocument.removeEventListener("pointermove", move);
      area.ownerDocument.removeEventListener("pointerup", end);
      area.ownerDocument.removeEventListener("pointercancel", end);
      if (!dragged) return;
      if (ended.type === "pointercancel") {
        clear();
        return;
      }
      area.addEventListener("click", (click) => click.preventDefault(), { capture: true, once: true });
      form.requestSubmit();
    };
    area.ownerDocument.addEventListener("pointermove", move);
    area.ownerDocument.addEventListener("pointerup", end);
    area.ownerDocument.addEventListener("pointercancel", end);
  });
  area.addEventListener("dragstart", (event) => event.preventDefault());

  area.tabIndex = 0;
  area.setAttribute("role", "group");
  area.setAttribute("aria-label", "Choose a stretch of time: left and right move its start, with shift its end; enter shows it, escape lets go");
  area.addEventListener("keydown", (event) => {
    const step = event.key === "ArrowLeft" ? -1 / PARTS : event.key === "ArrowRight" ? 1 / PARTS : 0;
    if (step) {
      const [a, b] = range;
      if (event.shiftKey) choose(a, Math.min(1, Math.max(a + 1 / PARTS, b + step)));
      else choose(Math.max(0, Math.min(b - 1 / PARTS, a + step)), b);
    } else if (event.key === "Enter" && band) form.requestSubmit();
    else if (event.key === "Escape") clear();
    else return;
    event.preventDefault();
  });
}

for (const area of document.querySelectorAll("[data-brush]")) brushable(area);
