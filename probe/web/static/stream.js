// Server-sent events over fetch: unlike EventSource it tells a session that has ended from a server that is away.

/** Call `word(event, data)` for each message, and `out()` once nobody is logged in. It comes again by itself, ever later. */
export function listen(address, word, out) {
  let control = new AbortController();
  let wait = 1000;
  let timer = 0;
  let over = false;

  async function once() {
    const mine = (control = new AbortController());
    const answer = await fetch(address, {
      headers: { Accept: "text/event-stream" },
      cache: "no-store",
      redirect: "manual",
      signal: mine.signal,
    });
    if (answer.type === "opaqueredirect" || answer.status === 401 || answer.status === 403) {
      over = true;
      out();
      return;
    }
    if (!answer.ok) {
      wait = Math.max(wait, 1000 * Number(answer.headers.get("Retry-After") ?? 0));
      return;
    }
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const messages = (rest + value).split("\n\n");
      rest = messages.pop();
      for (const message of messages) {
        const said = parse(message);
        if (!said) continue;
        wait = 1000;
        if (said.event === "bye" && said.data.why === "session") over = true;
        word(said.event, said.data);
      }
    }
  }

  async function go() {
    try {
      await once();
    } catch {
      // it broke off: come again
    }
    if (over) return;
    timer = setTimeout(go, wait * (0.75 + Math.random() / 2));
    wait = Math.min(wait * 2, 30_000);
  }

  go();
  return {
    /** Nothing was heard for too long: let go of the connection and make a new one. */
    again() {
      control.abort();
    },
    /** Listen no more. */
    stop() {
      over = true;
      clearTimeout(timer);
      control.abort();
    },
  };
}

function parse(message) {
  let event = "message";
  const data = [];
  for (const line of message.split("\n")) {
    if (line.startsWith("event: ")) event = line.slice(7);
    else if (line.startsWith("data: ")) data.push(line.slice(6));
  }
  return data.length ? { event, data: JSON.parse(data.join("\n")) } : null;
}
