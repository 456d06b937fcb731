// The local page: a client of the API, which only reads. All text is put in as text, never as HTML.

const WORKFLOWS = "/cdn-cgi/local/explorer/api/workflows";
const DATABASES = "/client/v4/accounts/local/d1/database";
const OWN = "/cdn-cgi/groundfog";
const EVERY_MS = 2000, INSTANCES = 20, ROWS = 50, CALLS = 30, TEXT_MAX = 300;

let instance = null; // which is shown: {workflow, id}
let table = null; // which is shown: {database, name}

async function ask(path, body) {
  const options = body && { method: "POST", body: JSON.stringify(body) };
  const answer = await fetch(path, options);
  const told = await answer.json();
  if (!told.success) throw new Error(told.errors.map((error) => error.message).join("; "));
  return told.result;
}

function element(tag, content, attributes = {}) {
  const made = document.createElement(tag);
  made.append(...[content].flat());
  return Object.assign(made, attributes);
}

function short(value) {
  if (value === null || value === undefined) return "";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}…` : text;
}

function time(iso) {
  return iso ? new Date(iso).toLocaleString() : "";
}

function button(text, onclick) {
  return element("button", text, { type: "button", onclick });
}

function status(text) {
  return element("span", text, { className: text });
}

// Show rows in place of what was there; the focus stays on the same button.
function show(id, header, rows, none) {
  const place = document.getElementById(id);
  const focused = place.contains(document.activeElement) ? document.activeElement.textContent : null;
  const cells = (row, tag) => element("tr", row.map((cell) => element(tag, [cell ?? ""].flat())));
  place.replaceChildren(
    rows.length
      ? element("table", [element("thead", cells(header, "th")), element("tbody", rows.map((row) => cells(row, "td")))])
      : element("p", none),
  );
  if (focused !== null) [...place.querySelectorAll("button")].find((made) => made.textContent === focused)?.focus();
}

async function showWorker() {
  const worker = await ask(`${OWN}/worker`);
  const name = worker.environment ? `${worker.name} (${worker.environment})` : worker.name;
  document.getElementById("worker").textContent = name;
  document.title = `${name} – Groundfog`;
  show("bindings", ["name", "kind", ""], worker.bindings, "The worker has no bindings.");
}

async function showInstances() {
  const rows = [];
  for (const { name } of await ask(`${WORKFLOWS}?per_page=100`)) {
    const path = `${WORKFLOWS}/${encodeURIComponent(name)}/instances`;
    for (const each of await ask(`${path}?per_page=${INSTANCES}`)) {
      const choose = () => { instance = { workflow: name, id: each.id }; return refresh(); };
      rows.push([name, button(each.id, choose), status(each.status), time(each.created_on)]);
    }
  }
  show("instances", ["workflow", "instance", "status", "created"], rows, "There are no instances yet.");
}

function stateOf(step) {
  if (step.success === true || step.finished === true) return status(step.error ? "failed" : "done");
  if (step.success === false) return status("failed");
  return status(step.due ? `waiting` : "running");
}

async function showInstance() {
  document.getElementById("instance").hidden = instance === null;
  if (instance === null) return;
  const { workflow, id } = instance;
  const path = `${WORKFLOWS}/${encodeURIComponent(workflow)}/instances/${encodeURIComponent(id)}`;
  const told = await ask(path);
  document.getElementById("h-instance").textContent = `${workflow} / ${id}: ${told.status}`;
  const rows = told.steps.filter((step) => step.name).map((step) => {
    const last = step.attempts?.at(-1);
    const error = last?.error ?? step.error;
    const result = error ? `${error.name}: ${error.message}` : short(step.output);
    const waits = step.due && !step.end ? `until ${time(step.due)}` : "";
    return [step.name, stateOf(step), step.attempts?.length ?? "", result || waits, step.line];
  });
  rows.push(["params", "", "", short(told.params), ""]);
  if (told.error) rows.push(["error", status("failed"), "", `${told.error.name}: ${told.error.message}`, ""]);
  else if (told.output !== null) rows.push(["output", "", "", short(told.output), ""]);
  show("steps", ["step", "state", "attempts", "", "line"], rows, "");
}

async function query(database, sql) {
  return (await ask(`${DATABASES}/${encodeURIComponent(database)}/query`, { sql }))[0].results;
}

async function showDatabases() {
  const rows = [];
  for (const database of await ask(DATABASES)) {
    const names = await query(
      database.uuid,
      "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\' ORDER BY name",
    );
    for (const { name } of names) {
      const choose = () => { table = { database, name }; return refresh(); };
      rows.push([database.name, button(name, choose)]);
    }
    if (!names.length) rows.push([database.name, "no tables yet"]);
  }
  show("databases", ["database", "table"], rows, "The worker has no D1 database.");
}

async function showTable() {
  document.getElementById("table").hidden = table === null;
  if (table === null) return;
  const rows = await query(table.database.uuid, `SELECT * FROM "${table.name.replaceAll('"', '""')}" LIMIT ${ROWS}`);
  document.getElementById("h-table").textContent = `${table.database.name} / ${table.name}: the first ${ROWS} rows`;
  show("rows", Object.keys(rows[0] ?? {}), rows.map((row) => Object.values(row).map(short)), "It has no rows.");
}

async function showCalls() {
  const calls = await ask(`${OWN}/ai/calls?limit=${CALLS}`);
  const rows = calls.map((call) => [
    time(call.at_ms), call.model, call.answered_by, `${call.tokens_in ?? 0} + ${call.tokens_out ?? 0}`, call.error,
  ]);
  show("calls", ["time", "model", "answered by", "tokens", "error"], rows.reverse(), "No calls have been made.");
}

async function refresh() {
  const parts = [showWorker, showInstances, showInstance, showDatabases, showTable, showCalls];
  const results = await Promise.allSettled(parts.map((part) => part()));
  const failed = results.find((result) => result.status === "rejected");
  document.getElementById("state").textContent = failed ? `${failed.reason.message}` : "";
}

// Once at a time, and never while nobody looks.
async function watch() {
  for (;;) {
    if (!document.hidden) await refresh();
    await new Promise((then) => setTimeout(then, EVERY_MS));
  }
}

watch();
