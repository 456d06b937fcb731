"""The style and the script of error pages. They are allowed by their hashes, and nothing else."""

from __future__ import annotations

import base64
import hashlib

STYLE = """
:root{color-scheme:light dark;--ground:#fbfaf8;--ink:#22252b;--soft:#6a6f78;--mark:#b3261e;
--panel:#f1efeb;--line:#dcd8d1;--lit:#f7dcd9}
@media(prefers-color-scheme:dark){:root{--ground:#16181d;--ink:#e4e5e8;--soft:#969ca8;
--mark:#ff8a80;--panel:#1f2229;--line:#343944;--lit:#4a2826}}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:62rem;margin:0 auto;padding:3rem 1.5rem}
h1{margin:.25rem 0 .5rem;font-size:1.6rem;line-height:1.25;color:var(--mark);
overflow-wrap:anywhere;white-space:pre-wrap}
p{margin:.5rem 0;color:var(--soft);overflow-wrap:anywhere}
a{color:inherit}
pre{margin:1rem 0;padding:1rem 1.25rem;overflow-x:auto;background:var(--panel);
border:1px solid var(--line);border-radius:8px;font:14px/1.55 ui-monospace,Menlo,Consolas,monospace}
pre b{color:var(--mark)}
pre i{color:var(--soft);font-style:normal;user-select:none}
pre mark{background:var(--lit);color:inherit;display:inline-block;min-width:100%}
button{font:inherit;font-size:.9rem;color:inherit;background:var(--panel);cursor:pointer;
border:1px solid var(--line);border-radius:6px;padding:.25rem .75rem}
summary{cursor:pointer;color:var(--soft)}
"""
# The page reloads after the next load of code, if it was got with GET: it waits for an answer that
# is not 204. `data-loads` is how often code had been loaded.
SCRIPT = """
const copy=document.getElementById("copy"),loads=document.body.dataset.loads;
copy.hidden=!navigator.clipboard;
copy.onclick=()=>navigator.clipboard.writeText(document.getElementById("report").textContent)
.then(()=>{copy.textContent="Copied"});
(async()=>{while(loads){let next=1000;
try{const told=await fetch("/cdn-cgi/groundfog/loads?other_than="+loads);
if(told.status===200){location.reload();return}
if(told.status===204)next=0;else if(500>told.status)return}catch{}
await new Promise(then=>setTimeout(then,next))}})();
"""


def allowed(text: str) -> str:
    """Return how a Content-Security-Policy allows an inline style or script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
