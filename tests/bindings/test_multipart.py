"""Multipart forms: what a part is, and what is none."""

from __future__ import annotations

import pytest

from bindings.multipart import PARTS_MAX, NotAForm, read_form

from ..growth import check_growth

KIND = "multipart/form-data; boundary=cut"


def form(*parts: tuple[str, bytes], end: bytes = b"--cut--\r\n") -> bytes:
    return (
        b"".join(b"--cut\r\n%s\r\n\r\n%s\r\n" % (head.encode(), body) for head, body in parts) + end
    )


def field(name: str, body: bytes) -> tuple[str, bytes]:
    return f'Content-Disposition: form-data; name="{name}"', body


@pytest.mark.parametrize(
    "text",
    [
        "what says --cut in the middle of a line",
        "a line\r\n and --cut--",
        "\r\n-cut\r\n--cu\r\n--cat",
        "--cut",
        "",
        "\r\n\r\n",
    ],
)
def test_a_text_keeps_what_only_looks_like_a_boundary(text: str) -> None:
    parts = read_form(form(field("prompt", text.encode()), field("width", b"64")), KIND)

    assert [(part.name, part.text) for part in parts] == [("prompt", text), ("width", "64")]


def test_a_file_has_a_name_and_a_type() -> None:
    head = 'content-disposition: form-data; name="files"; filename="ü;b.csv"\r\n'

    (part,) = read_form(form((f"{head}content-type: text/csv; x=y", b"a,b")) + b"epilogue", KIND)

    assert (part.name, part.filename, part.content_type) == ("files", "ü;b.csv", "text/csv")


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (
            form(field("a", b"1")),
            "application/json",
            "expected multipart/form-data with a boundary",
        ),
        (form(field("a", b"1")), "multipart/form-data", "expected multipart/form-data"),
        (
            form(field("a", b"1")),
            "multipart/form-data; boundary=ü…",
            "expected multipart/form-data",
        ),
        (form(field("a", b"1")), KIND + "x" * 300, "the form cannot be read: Boundary length"),
        (form(field("a", b"1"), end=b""), KIND, "the form ends before its last boundary"),
        (b"", KIND, "the form ends before its last boundary"),
        (b"--cut\r\nno header\r\n\r\n--cut--", KIND, "the form cannot be read"),
        (form(("a: " + "b" * 20_000, b"")), KIND, "the form cannot be read"),
        (form(*[field("a", b"")] * (PARTS_MAX + 1)), KIND, "a form of more than 1,000 parts"),
    ],
)
def test_a_body_that_is_not_a_form_is_refused_in_words(
    body: bytes, kind: str, message: str
) -> None:
    with pytest.raises(NotAForm) as caught:
        read_form(body, kind)

    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("unit", [b"\r\n--cu", b"\r", b"\r\n-", b"-", b"\r\n--cut\r", b"a"])
def test_reading_a_form_costs_in_step_with_it(unit: bytes) -> None:
    def read(body: bytes) -> None:
        try:
            read_form(body, KIND)
        except NotAForm:
            pass

    check_growth(read, lambda size: form(field("a", unit * (size // len(unit)))), 50_000)
