"""The keys that describe the worker itself: name, main, compatibility, and the `dev` table.

Source: docs/platform/configuration.md, "The worker".
"""

from __future__ import annotations

import os
import re
from datetime import UTC, date, datetime
from pathlib import Path

from emulator.config.environments import Selected
from emulator.config.model import DevConfig
from emulator.config.problems import nearest, quoted
from emulator.config.table import Table
from emulator.config.text_files import is_file, shown_path

DEFAULT_NAME = "worker"
# wrangler takes the release date of its own workerd; a fixed date keeps runs reproducible.
DEFAULT_COMPATIBILITY_DATE = "2026-08-21"
MAIN_SUFFIXES = (".py", ".ts", ".mts", ".cts", ".tsx", ".js", ".mjs", ".cjs", ".jsx")

# The main module of a project that has none, and the flags that it needs at every date.
ASSETS_ONLY = Path(__file__).parents[1] / "guest" / "assets_only" / "worker.py"
_OWN_FLAGS = ("python_workers", "python_no_global_handlers")
_NAME = re.compile(r"[a-z0-9_][a-z0-9-_]*")
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_USUAL_MAINS = ("src/entry.py", "src/main.py", "src/index.ts", "src/index.js", "src/worker.py")
_SEARCHED_FILES_MAX = 500


def read_name(selected: Selected) -> str:
    """Return the worker's name; an environment without a name of its own adds `-NAME`."""
    owner = selected.owner("name")
    name = owner.string("name")
    if name and not _NAME.fullmatch(name):
        owner.error(
            "name",
            f"{owner.name('name')} is {quoted(name)}; expected lower case letters, digits, - and _",
            f'Rename it, for example to "{_slug(name)}".',
        )
    name = name or DEFAULT_NAME
    if selected.environment is not None and owner is selected.top:
        return f"{name}-{selected.environment}"
    return name


def names_python(selected: Selected) -> bool:
    """Whether `main` names a Python file, or there are only assets."""
    main = selected.owner("main").data.get("main")
    return has_only_assets(selected) or (isinstance(main, str) and main.endswith(".py"))


def has_only_assets(selected: Selected) -> bool:
    """Whether the project has assets and names no code."""
    has_assets = isinstance(selected.owner("assets").data.get("assets"), dict)
    return has_assets and "main" not in selected.owner("main").data


def read_main(
    selected: Selected, config_dir: Path, *, needed: bool, made: bool = False
) -> Path | None:
    """Return the absolute path of the main module, or None when there is none to run.

    What is wrong with it is only reported if it is `needed`. made: a command of the project makes
    it later, so it need not be there yet.
    """
    owner = selected.owner("main")
    main = owner.string("main")
    if needed and has_only_assets(selected):
        return ASSETS_ONLY
    if not main:
        if needed and ("main" not in owner.data or main == ""):
            _report_no_main(owner, config_dir)
        return None
    path = Path(os.path.abspath(config_dir / main))
    if not needed:
        return None
    if not is_file(path) and not made:
        _report_missing_main(owner, main, path, config_dir)
    elif path.suffix not in MAIN_SUFFIXES:
        found = f"{owner.name('main')} is {quoted(main)}; expected a Python, TypeScript or"
        owner.error("main", f"{found} JavaScript file")
    return path


def read_compatibility_date(selected: Selected, now_ms: int) -> str:
    """Return the date as YYYY-MM-DD. One in the future is warned about: Cloudflare refuses it."""
    owner = selected.owner("compatibility_date")
    value = owner.data.get("compatibility_date")
    label = owner.name("compatibility_date")
    if value is None:
        owner.warn(
            None,
            "No compatibility_date was specified. "
            f"Using the default compatibility date: {DEFAULT_COMPATIBILITY_DATE}",
            f'Add compatibility_date = "{DEFAULT_COMPATIBILITY_DATE}" above the first [table].',
        )
        return DEFAULT_COMPATIBILITY_DATE
    if isinstance(value, date):
        owner.error(
            "compatibility_date",
            f"{label} is {str(value)[:10]} without quotes, a TOML date; expected a string",
            f'Write compatibility_date = "{str(value)[:10]}".',
        )
        return DEFAULT_COMPATIBILITY_DATE
    text = owner.string("compatibility_date")
    if text is None:
        return DEFAULT_COMPATIBILITY_DATE
    problem, fix = _date_problem(text)
    if problem:
        owner.error("compatibility_date", f"{label} is {quoted(text)}; {problem}", fix)
        return DEFAULT_COMPATIBILITY_DATE
    today = datetime.fromtimestamp(now_ms / 1000, UTC).date().isoformat()
    if text > today:
        owner.warn(
            "compatibility_date",
            f"{label} is {quoted(text)}, which is in the future (today is {today} UTC); "
            "Cloudflare refuses it when deploying",
        )
    return text


def read_compatibility_flags(selected: Selected, main: Path | None) -> tuple[str, ...]:
    """Return the flags. A Python main without `python_workers` is reported."""
    owner = selected.owner("compatibility_flags")
    flags = owner.strings("compatibility_flags")
    if main == ASSETS_ONLY:
        return (*flags, *_OWN_FLAGS)
    if main is not None and main.suffix == ".py" and "python_workers" not in flags:
        table = owner if "compatibility_flags" in owner.data else selected.owner("main")
        key = "compatibility_flags" if "compatibility_flags" in owner.data else "main"
        shown = ", ".join(quoted(flag) for flag in (*flags, "python_workers"))
        table.error(
            key,
            "The `python_workers` compatibility flag is required to use Python, and main is "
            f"{quoted(main.name)}",
            f"Write compatibility_flags = [{shown}].",
        )
    return flags


def read_dev(selected: Selected) -> DevConfig:
    """Return the `dev` table."""
    dev = selected.top.table("dev", "Write [dev] with the settings below it.")
    if dev is None:
        return DevConfig()
    is_https = dev.choice("local_protocol", ("http", "https")) == "https"
    return DevConfig(
        dev.string("ip") or DevConfig().ip,
        dev.integer("port", 0, 65_535),
        "https" if is_https else "http",
        dev.string("host") or "",
    )


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "-", name.lower()).strip("-") or DEFAULT_NAME


def _date_problem(text: str) -> tuple[str, str]:
    if "–" in text or "—" in text:
        hyphens = text.replace("–", "-").replace("—", "-")
        found = "it should use ISO-8601 accepted hyphens (-) rather than en-dashes (–) or"
        return f"{found} em-dashes (—)", f'Write "{hyphens}".'
    try:
        if _ISO_DATE.fullmatch(text) and text.isascii() and date.fromisoformat(text):
            return "", ""
    except ValueError:
        pass
    return "expected a date as YYYY-MM-DD", f'For example "{DEFAULT_COMPATIBILITY_DATE}".'


def _report_no_main(owner: Table, config_dir: Path) -> None:
    usual = [name for name in _USUAL_MAINS if is_file(config_dir / name)]
    key = "main" if "main" in owner.data else None
    found = f"{owner.name('main')} is empty" if key else "main is missing"
    expected = "expected the path of the file that exports the worker"
    fix = f'Add main = "{usual[0] if usual else _USUAL_MAINS[0]}"'
    owner.error(key, f"{found}; {expected}", f"{fix} above the first [table].")


def _report_missing_main(owner: Table, main: str, path: Path, config_dir: Path) -> None:
    label = f"{owner.name('main')} is {quoted(main)}"
    if os.path.isdir(path):
        owner.error("main", f"{label}, which is a directory; expected a file")
        return
    candidates = _code_files(path, config_dir)
    close = nearest(shown_path(path, config_dir), candidates) or next(
        (file for file in candidates if Path(file).name == path.name), None
    )
    others = sorted(candidates)[:3]
    if close:
        fix = f'Did you mean "{close}"?'
    elif others:
        fix = f"There is {', '.join(others)}."
    else:
        fix = "Create it, or change main."
    owner.error("main", f"{label}, but there is no such file", fix)


def _code_files(missing: Path, config_dir: Path) -> list[str]:
    """Return the code files near where main should be, as they would be written in main."""
    found: list[str] = []
    for directory in dict.fromkeys((missing.parent, config_dir / "src", config_dir)):
        try:
            entries = sorted(directory.iterdir())[:_SEARCHED_FILES_MAX]
        except (OSError, ValueError):
            continue
        for entry in entries:
            name = shown_path(entry, config_dir).replace(os.sep, "/")
            if entry.suffix in MAIN_SUFFIXES and is_file(entry) and name not in found:
                found.append(name)
    return found
