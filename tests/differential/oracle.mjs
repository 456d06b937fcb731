// Evaluates Python expressions with the published SDK in Pyodide, and prints what they give.
//
// node oracle.mjs FOLDER SHOW CASES: FOLDER has node_modules/pyodide and sdk/, SHOW is showing.txt,
// CASES a JSON list of expressions. Prints a JSON list.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, showing, cases] = process.argv.slice(2);
const module = join(folder, "node_modules/pyodide/pyodide.mjs");
const { loadPyodide } = await import(pathToFileURL(module).href);
const pyodide = await loadPyodide({ env: { TZ: "UTC" } });

function copy(from, to) {
  pyodide.FS.mkdirTree(to);
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    if (entry.isDirectory()) copy(join(from, entry.name), `${to}/${entry.name}`);
    else if (entry.name.endsWith(".py"))
      pyodide.FS.writeFile(`${to}/${entry.name}`, readFileSync(join(from, entry.name)));
  }
}

copy(join(folder, "sdk"), "/sdk");
// What the SDK needs of the runtime.
await pyodide.runPythonAsync(`
import sys, types, js
sys.path.insert(0, "/sdk")
helper = types.ModuleType("_pyodide_entrypoint_helper")
helper.cloudflareWorkersModule = js.Object.new()
sys.modules[helper.__name__] = helper
flags = types.ModuleType("_cloudflare_compat_flags")
flags.python_workflows_implicit_dependencies = True
flags.python_request_headers_preserve_commas = True
sys.modules[flags.__name__] = flags
`);
const names = pyodide.toPy({ CASES: readFileSync(cases, "utf8") });
await pyodide.runPythonAsync(readFileSync(showing, "utf8"), { globals: names });
const found = await pyodide.runPythonAsync("await shown_all(CASES, NAMES)", { globals: names });
process.stdout.write(found, () => process.exit(0));
