"""Lists in pages: the part of a list that a request asks for, and its `result_info`.

Source: https://developers.cloudflare.com/fundamentals/api/how-to/make-api-calls/#pagination
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from msgspec import Struct
from starlette.requests import Request

from emulator.answers.workflows import PageInfo
from emulator.server.api.parameters import whole_number

T = TypeVar("T")

PER_PAGE = 25
PER_PAGE_MAX = 100


class Page(Struct, frozen=True):
    """Page `number`, counted from 1, of lists of at most `size` on each."""

    number: int
    size: int

    @classmethod
    def of(cls, request: Request) -> Page:
        """Return what the query parameters `page` and `per_page` say. Raises ApiError."""
        return cls(
            whole_number(request, "page", 1),
            whole_number(request, "per_page", PER_PAGE, PER_PAGE_MAX),
        )

    @property
    def offset(self) -> int:
        """How many items are on the pages before."""
        return (self.number - 1) * self.size

    def of_list(self, items: Sequence[T]) -> Sequence[T]:
        """Return the part of a whole list that is on this page."""
        return items[self.offset :][: self.size]

    def info(self, count: int, total: int) -> PageInfo:
        """Return `result_info` of this page, which has `count` items of `total`."""
        return {
            "page": self.number,
            "per_page": self.size,
            "count": count,
            "total_count": total,
            "total_pages": max(1, -(-total // self.size)),
        }
