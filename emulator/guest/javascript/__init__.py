"""What runs beside user code in workerd, in JavaScript; it is shipped as it is.

entry.js        the main module of a user's worker: reports errors, opens the control connection
guest.js        the guest of the runner protocol, and the modules that it is made of
front.js        what comes before user code in a request: who may ask what
front_alone.js  the same as a worker of its own, in front of a script in service-worker format
absent.js       a binding that is not emulated
caller.js       a binding whose methods run in the host
send_email.js   a binding that sends emails
email_message.js  the class EmailMessage of `cloudflare:email`
format.js       how workerd writes what is printed
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
# What only our own clients may import, by the name of the module.
INTERNAL = {
    "groundfog:absent": "absent.js",
    "groundfog:caller": "caller.js",
    "groundfog:format": "format.js",
    "groundfog:email": "send_email.js",
    "groundfog:emails": "emails.js",
    "cloudflare-internal:email": "email_message.js",
}


@cache
def source(name: str) -> str:
    """Return the text of one of these modules."""
    return (FOLDER / name).read_text(encoding="utf-8")


def parts() -> list[str]:
    """Return the names of the modules that `entry.js` imports."""
    own = ("entry.js", "front_alone.js", "workflows.js", *INTERNAL.values())
    shared = {"emails.js"}
    return sorted({path.name for path in FOLDER.glob("*.js")} - {*own} | shared)
