// The overview, live: listens to /events and puts what changed into the page. Without it the page is a picture of a moment.
import { refreshAges, serverNow, setNow, words } from "./ages.js";
import { listen } from "./stream.js";

const live = document.getElementById("live");
const grid = document.getElementById("grid");
const csrf = document.querySelector("meta[name=csrf]").content;
const SILENT = 30_000; // milliseconds without a word after which nothing here is to be believed
const GONE = 60_000; // milliseconds since the daemon's last sign of life
const LOST = 60; // seconds beyond three intervals after which what is known of a check is too old

let rows = index();
let heard = Date.now();
let alive = Date.now();
let lastData = live.dataset.at ?? new Date(serverNow()).toISOString();
let ended = "";
let trouble = "";

/** The rows of the grid by check. */
function index() {
  const found = new Map();
  for (const row of grid.querySelectorAll("tbody tr")) {
    const link = row.querySelector("th a");
    found.set(decodeURIComponent(link.getAttribute("href").slice("./checks/".length)), row);
  }
  return found;
}

/** Nodes of a piece of HTML that the server made: escaped there, and without a script that could run. */
function nodes(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

function showCells(cells) {
  for (const [check, changed] of Object.entries(cells)) {
    const row = rows.get(check);
    if (!row) continue;
    for (const [at, html] of Object.entries(changed)) {
      row.cells[Number(at) + 1]?.replaceWith(nodes(html));
    }
  }
}

function showVerdicts(verdicts) {
  for (const [check, verdict] of Object.entries(verdicts)) {
    const row = rows.get(check);
    if (!row) continue;
    row.classList.toggle("not-ok", verdict !== "ok");
    row.querySelector("th .verdict")?.remove();
    if (verdict === "ok") continue;
    const badge = document.createElement("span");
    badge.className = `verdict verdict--${verdict}`;
    badge.textContent = verdict.replaceAll("_", " ");
    row.cells[0].append(badge);
  }
}

function showPart(name, html) {
  const part = document.getElementById(`part-${name}`);
  const kept = part.contains(document.activeElement) ? document.activeElement : null;
  const at = kept ? focusable(part).indexOf(kept) : -1;
  part.replaceChildren(nodes(html));
  for (const field of part.querySelectorAll("input[name=csrf]")) field.value = csrf;
  refreshAges(part);
  if (at >= 0) focusable(part)[at]?.focus();
}

function focusable(part) {
  return [...part.querySelectorAll("a[href], button")];
}

function showTargets(targets) {
  for (const details of grid.children) {
    const name = details.dataset.target;
    if (!Object.hasOwn(targets, name)) continue;
    const summary = details.querySelector("summary");
    summary.replaceChildren(nodes(targets[name]));
    if (!summary.querySelector(".verdict--ok")) details.open = true;
  }
}

function showOrder(order) {
  const targets = new Map([...grid.children].map((details) => [details.dataset.target, details]));
  for (const [name, checks] of order) {
    const details = targets.get(name);
    if (!details) continue;
    grid.append(details);
    const body = details.querySelector("tbody");
    for (const check of checks) if (rows.has(check)) body.append(rows.get(check));
  }
}

/** Other checks than this page was made for: have it made anew, not all pages at once. */
let renewing = false;
function renew() {
  if (renewing) return;
  renewing = true;
  setTimeout(async () => {
    try {
      const answer = await fetch(location.href, { cache: "no-store", redirect: "error" });
      if (!answer.ok) return;
      const made = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("grid");
      grid.dataset.layout = made.dataset.layout;
      grid.replaceChildren(...made.children);
      rows = index();
    } catch {
      // the next change asks again
    } finally {
      renewing = false;
    }
  }, Math.random() * 3000);
}

function show(data) {
  if (data.layout && data.layout !== grid.dataset.layout) renew();
  if (data.verdicts) showVerdicts(data.verdicts);
  if (data.targets) showTargets(data.targets);
  if (data.cells) showCells(data.cells);
  if (data.order) showOrder(data.order);
  for (const [name, html] of Object.entries(data.parts ?? {})) showPart(name, html);
  if (data.parts?.headline) {
    const open = document.querySelectorAll("#part-incidents article").length;
    document.title = `${open ? `(${open}) ` : ""}Overview · probe`;
  }
}

/** Ages of all cells, and which of them are too old to say anything. */
function age() {
  const now = serverNow() / 1000;
  for (const row of grid.querySelectorAll("tbody tr")) {
    const old = 3 * Number(row.dataset.e) + LOST;
    for (const cell of row.cells) {
      if (!cell.dataset.t) continue;
      const seconds = now - Number(cell.dataset.t);
      const text = words(seconds);
      const place = cell.querySelector("b") ?? cell;
      if (place.textContent !== text) place.textContent = text;
      cell.classList.toggle("stale", seconds > old && !cell.classList.contains("c-unknown"));
    }
  }
}

function clock(text) {
  return new Date(text).toISOString().slice(11, 19);
}

/** Say how far what is shown can be believed. */
function tell() {
  const silent = Date.now() - heard > SILENT || ended !== "";
  const gone = serverNow() - alive > GONE;
  let text = `live; as of ${clock(lastData)} UTC`;
  if (silent || gone || trouble) text = `No data since ${clock(lastData)} UTC`;
  if (trouble) text += `: ${trouble}`;
  else if (!silent && gone) text += ": the daemon gives no sign of life";
  if (ended === "session") text = `You are logged out. ${text}`;
  live.classList.toggle("live--on", !(silent || gone || trouble));
  live.classList.toggle("live--off", silent || gone || Boolean(trouble));
  if (live.firstChild?.textContent !== text) {
    live.replaceChildren(text);
    if (ended === "session") {
      const link = document.createElement("a");
      link.href = live.dataset.login;
      link.textContent = "Log in";
      live.append(" ", link);
    }
  }
}

function word(event, data) {
  if (event === "bye") {
    if (data.why === "session") ended = "session";
    return;
  }
  if (event === "trouble") {
    heard = Date.now();
    trouble = data.why;
    tell();
    return;
  }
  heard = Date.now();
  trouble = "";
  if (data.now) {
    setNow(data.now);
    lastData = data.now;
  }
  if (data.alive) alive = Date.parse(data.alive);
  show(data);
  if (data.cells) age();
  tell();
}

alive = serverNow();
const stream = listen(live.dataset.events, word, () => {
  ended = "session";
  tell();
});
setInterval(() => {
  age();
  if (Date.now() - heard > SILENT && !ended) stream.again();
  tell();
}, 2000);
