"""No model is asked: the embeddings compare words, and rules answer in place of the text model."""

import pytest

DOCUMENTS = [
    {"id": "opening", "text": "The library opens at nine o'clock on weekdays."},
    {"id": "loans", "text": "A book can be borrowed for four weeks."},
    {"id": "coffee", "text": "The café sells coffee and cake on the ground floor."},
]


@pytest.fixture
def library(worker):
    worker.post("/documents", json=DOCUMENTS).raise_for_status()
    return worker


def test_the_document_that_fits_best_comes_first(library):
    answer = library.get("/ask", params={"q": "For how many weeks can I borrow a book?"}).json()

    assert answer["sources"][0] == "loans"


def test_the_model_gets_what_was_found(library):
    library.ai.rule(prompt="four weeks").text("Four weeks.")

    answer = library.get("/ask", params={"q": "How long may I keep a book?"}).json()

    assert answer["answer"] == "Four weeks."
