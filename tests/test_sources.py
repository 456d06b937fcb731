"""Every `Source:` names something that a reader can open: a section of docs/platform, an address,
or a public standard by its number.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("emulator", "bindings", "groundfog")
PLATFORM = ROOT / "docs" / "platform"

_SECTION = r'"[^"]+"'
# `docs/platform/d1.md, "Limits"`, also of several sections; an address; `RFC 9110 section 7.8`,
# `ISO/IEC 11172-3`, `ITU-T T.81`. What is meant inside of it may follow in brackets.
_REFERENCE = re.compile(
    r"(?:(?P<page>docs/platform/[a-z0-9-]+\.md), "
    rf"(?P<sections>{_SECTION}(?:(?:, | and ){_SECTION})*)"
    r"|https://[^\s()]+[^\s().,;]"
    r"|RFC \d+(?: section \d+(?:\.\d+)*)?"
    r"|ISO/IEC \d+-\d+"
    r"|ITU-T [A-Z]\.\d+)"
    r"(?: \([^()]+\))?"
)
# Only PROTOCOL.md has numbered sections; no other page of this repository has.
_NUMBERED_PAGE = re.compile(r"[a-z]\.md (?:sections? )?\d")
# `docs "Limits"`, `docs workers/limits`, `workers-sdk packages/x.ts`: nobody can open these.
_INFORMAL = re.compile(r'\bdocs (?:"|[a-z0-9-]+/)|\b(?:workers-sdk|workers-py|workerd) [a-z-]+/')


def comments_and_docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Yield each docstring and block of comment lines of a module, and its line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            if isinstance(node.value.value, str):
                yield node.lineno, node.value.value
    block: list[str] = []
    last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        if token.start[0] != last + 1 and block:
            yield last - len(block) + 1, "\n".join(block)
            block = []
        block.append(token.string.lstrip("# "))
        last = token.start[0]
    if block:
        yield last - len(block) + 1, "\n".join(block)


def sources(text: str) -> Iterator[str]:
    """Yield what follows each `Source:` of a docstring or comment, to the end of its sentence."""
    for found in re.finditer(r"\bSource: *(.*?)(?:\.(?=\s|$)|\n\s*\n|\Z)", text, re.DOTALL):
        yield " ".join(found[1].split())


def headings(page: Path) -> set[str]:
    return set(re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE))


def problem_of(source: str) -> str:
    """Return why a source cannot be looked up, or nothing."""
    for reference in source.split("; "):
        match = _REFERENCE.fullmatch(reference)
        if match is None:
            return f"{reference!r} is no section of docs/platform, no address and no standard"
        if match["page"] is None:
            continue
        page = ROOT / match["page"]
        if not page.is_file():
            return f"there is no {match['page']}"
        for section in re.findall(r'"([^"]+)"', match["sections"]):
            if section not in headings(page):
                return f'{match["page"]} has no section "{section}"'
    return ""


def test_every_source_in_the_code_can_be_looked_up() -> None:
    problems = []
    count = 0
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            source = path.read_text(encoding="utf-8")
            if "Source:" not in source:
                continue
            for line, text in comments_and_docstrings(source):
                for found in sources(text):
                    count += 1
                    if problem := problem_of(found):
                        problems.append(f"{path.relative_to(ROOT)}:{line}: {problem}")
    assert not problems, "\n".join(problems)
    assert count > 100  # they were looked at


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ('docs/platform/d1.md, "Limits" and "Errors"', ""),
        ("https://www.rfc-editor.org/rfc/rfc9110 (Upgrade)", ""),
        ("RFC 9110 section 7.8; https://example.com/a", ""),
        ('docs/platform/d1.md, "Nowhere"', 'docs/platform/d1.md has no section "Nowhere"'),
        ('docs/platform/nowhere.md, "Limits"', "there is no docs/platform/nowhere.md"),
        ("docs/platform/d1.md", "is no section"),
        ("somewhere", "is no section"),
        ("RFC 9110; somewhere", "is no section"),
    ],
)
def test_a_source_that_leads_nowhere_is_named(source: str, problem: str) -> None:
    assert problem in problem_of(source)
    assert bool(problem) is bool(problem_of(source))


def test_no_page_is_named_by_numbered_sections() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "emulator").rglob("*.md")]
    code = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    found = [
        str(path.relative_to(ROOT))
        for path in (*pages, *code)
        if _NUMBERED_PAGE.search(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_no_source_is_named_informally() -> None:
    found = []
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            source = path.read_text(encoding="utf-8")
            if not _INFORMAL.search(source):
                continue
            for line, text in comments_and_docstrings(source):
                if match := _INFORMAL.search(text):
                    found.append(f"{path.relative_to(ROOT)}:{line}: {match[0]}")
    assert found == []


@pytest.mark.parametrize(
    ("text", "informal"),
    [
        ('100  # docs "Limits", paid plan', True),
        ("see docs workers/platform/limits", True),
        ("workers-sdk workflows-shared/src/lib/streams.ts", True),
        ('Source: docs/platform/workflows.md, "Limits".', False),
        ("https://github.com/cloudflare/workers-sdk/blob/main/packages/a.ts", False),
    ],
)
def test_an_informal_source_is_recognised(text: str, informal: bool) -> None:
    assert bool(_INFORMAL.search(text)) is informal


@pytest.mark.parametrize("page", sorted(PLATFORM.glob("*.md")), ids=lambda page: page.stem)
def test_links_to_sections_of_the_platform_pages_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", text):
        target = page if not name else page.parent / name
        anchors = {
            re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
            for heading in headings(target)
        }
        assert anchor in anchors, f"{page.name} links to {name}#{anchor}"
