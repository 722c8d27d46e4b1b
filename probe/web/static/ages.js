// Ages that go on: every <time data-ago> says how long ago that is, by the server's clock.

let ahead = 0; // milliseconds that our clock is ahead of the server's

/** Take the server's word for what time it is. */
export function setNow(text) {
  const said = Date.parse(text);
  if (!Number.isNaN(said)) ahead = Date.now() - said;
}

/** Milliseconds since 1970 by the server's clock. */
export function serverNow() {
  return Date.now() - ahead;
}

/** Seconds in one unit, as `probe.web.render` writes them. */
export function words(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 120) return `${s} s`;
  if (s < 7200) return `${Math.floor(s / 60)} min`;
  if (s < 172800) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86400)} d`;
}

/** Write all ages below a node anew. */
export function refreshAges(below = document) {
  const now = serverNow();
  for (const time of below.querySelectorAll("time[data-ago]")) {
    const text = `${words((now - Date.parse(time.dateTime)) / 1000)}${time.dataset.ago}`;
    if (time.textContent !== text) time.textContent = text;
  }
}

/** Keep them going for as long as the page is open. */
export function keepAges() {
  const now = document.querySelector("meta[name=now]");
  if (now) setNow(now.content);
  refreshAges();
  setInterval(refreshAges, 5000, document);
}
