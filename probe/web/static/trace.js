// Says beforehand when the trace viewer could not run where it would open: it needs service workers.

const way = document.getElementById("trace-way");
const cannot = document.getElementById("trace-cannot");
if (way && cannot) {
  const { protocol, hostname } = new URL(way.dataset.address);
  const local = hostname === "localhost" || hostname.endsWith(".localhost") || hostname.startsWith("127.");
  // In a page that is not secure no browser shows service workers at all: then only the address tells.
  const able = !window.isSecureContext || "serviceWorker" in navigator;
  if (!(protocol === "https:" || local) || !able) {
    way.remove();
    cannot.hidden = false;
  }
}
