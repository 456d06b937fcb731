// Below a page of the worker, with `groundfog dev --live-reload`: after the next load of code, load the page again.

const { loads } = document.currentScript.dataset;

async function wait() {
  for (;;) {
    let rest = 1000;
    try {
      const told = await fetch(`/cdn-cgi/groundfog/loads?other_than=${loads}`);
      if (told.status === 200) return location.reload();
      if (told.status === 204) rest = 0;
    } catch {
      // The server is away; it may come back.
    }
    await new Promise((then) => setTimeout(then, rest));
  }
}

wait();
