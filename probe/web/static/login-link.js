// Posts the ticket that stands behind the # of a one-time link: there no server and no log sees it. Takes it out of the history first.
const form = document.getElementById("link");
const ticket = location.hash.slice(1);
if (form instanceof HTMLFormElement && /^[\w-]{20,200}$/.test(ticket)) {
  history.replaceState(null, "", location.pathname);
  form.elements.namedItem("ticket").value = ticket;
  form.submit();
}
