"""Embeddings: related texts are closer than unrelated ones, the same everywhere."""

from __future__ import annotations

import asyncio
import math
import time
from pathlib import Path

import pytest

from bindings.ai.embeddings import embed
from bindings.vectorize.vectorize import Vectorize

from .calls import BGE, run

SKILLS = {
    "shop": "E-commerce engineering. Builds online shops with catalogue, cart, checkout and "
    "payments, on Shopify or a headless storefront.",
    "warehouse": "Data engineering. Builds pipelines and a warehouse for analytics, with SQL "
    "models, dashboards and data quality checks.",
    "mobile": "Mobile development. Writes native iOS and Android apps with offline storage, push "
    "notifications and store releases.",
    "film": "Film production. Plans, shoots and edits films and interviews, with sound, colour and "
    "subtitles.",
    "security": "Penetration testing. Attacks web applications and networks as an intruder would "
    "and reports vulnerabilities with fixes.",
    "brand": "Brand identity. Designs logos, typography, colour and guidelines for companies and "
    "their packaging.",
    "seo": "Search engine optimisation. Improves rankings, structured data and page speed so that "
    "people find a site through search engines.",
    "copy": "Copywriting. Writes headlines, product texts, newsletters and articles in a clear "
    "voice.",
    "iot": "Connected devices. Builds sensors and firmware, collects telemetry and monitors "
    "machines in factories.",
    "chat": "Conversational assistants. Builds chatbots and voice assistants with language models "
    "for customer support.",
    "routes": "Route planning. Optimises delivery tours, fleets and driver schedules with solvers.",
    "access": "Accessibility. Audits and repairs websites and apps for screen readers, keyboard "
    "users and WCAG conformance.",
}

BRIEFS = {
    "We are a family bakery with nine branches in the region. Orders for wedding cakes reach "
    "us by telephone and on paper, mistakes are common, and on Saturdays nobody has time to "
    "answer. We would like customers to see the whole catalogue of cakes on the internet, put "
    "them into a cart, choose a branch and a day for pickup and pay in advance with a card at "
    "the checkout. Vouchers should work in the shop as well as online. Our present site is a "
    "single page that hardly anybody finds: when you type our town and the word cake into a "
    "search engine, the competition appears first, and we want better rankings. The "
    "photographs exist. Headlines, product texts and a monthly newsletter must be written, as "
    "no one here is good at that.": {
        "copy",
        "seo",
        "shop",
    },
    "Our hospital trust has eleven sources of figures: admissions, laboratory, theatre, "
    "payroll and so on. Each month three people copy numbers from one spreadsheet into "
    "another, and the board receives reports that contradict one another. We want one "
    "warehouse with agreed definitions, pipelines that load it every night, checks that shout "
    "when data is missing, and dashboards for managers. The analysts know SQL and will "
    "maintain the models. Before anything goes live, an independent company shall try to "
    "break in, as an intruder would, and report every vulnerability it finds.": {
        "security",
        "warehouse",
    },
    "Two hundred and forty technicians service lifts in the mountains, often without any "
    "network. Today they fill in paper forms. They need an app for Android tablets and "
    "iPhones that keeps working offline and sends its reports when there is a connection "
    "again. The office wants to notify them of urgent calls with push messages and to plan "
    "their tours: who drives where, in which order, with which van, so that fewer hours are "
    "spent on the road. In a second phase, sensors in the lifts are to send telemetry so that "
    "failing motors are seen early.": {
        "iot",
        "mobile",
        "routes",
    },
    "The foundation turns one hundred next year. We imagine a warm film of five minutes with "
    "interviews of people who grew up in our houses, shot on location, carefully edited, with "
    "subtitles in four languages. At the same time our appearance shall be renewed: a new "
    "logo, colours and typography, and guidelines that our forty houses can follow. The "
    "website stays, but a blind colleague tells us that screen readers cannot use it, and it "
    "has to meet WCAG by autumn.": {
        "access",
        "brand",
        "film",
    },
}


def cosine(one: list[float], other: list[float]) -> float:
    return math.fsum(a * b for a, b in zip(one, other, strict=True))


def vector(text: str) -> list[float]:
    return embed(text, 768, "test")


@pytest.mark.parametrize(
    ("brief", "expected"), BRIEFS.items(), ids=["cakes", "data", "lifts", "film"]
)
def test_a_brief_finds_its_skills_in_an_index(
    tmp_path: Path, brief: str, expected: set[str]
) -> None:
    vectors = run(BGE, {"text": list(SKILLS.values())})["data"]
    wanted = run(BGE, {"text": brief})["data"][0]
    stored = [{"id": name, "values": v} for name, v in zip(SKILLS, vectors, strict=True)]

    async def search() -> list[str]:
        index = Vectorize(tmp_path / "skills.sqlite", "skills")
        await index.call("insert", [stored])
        found = await index.call("query", [wanted, {"topK": 3}])
        await index.close()
        return [match["id"] for match in found["matches"]]

    best = asyncio.run(search())

    assert expected <= set(best), best


@pytest.mark.parametrize(
    ("text", "related", "unrelated"),
    [
        ("migrating databases", "the migration of a database", "a recipe for apple pie"),
        ("optimisation of routes", "optimise a route", "paint a portrait"),
        ("Datenbankmigration", "Migration einer Datenbank", "Rezept für Apfelkuchen"),
        ("数据库迁移", "迁移数据库", "苹果派食谱"),
    ],
)
def test_inflections_and_compounds_are_closer_than_other_subjects(
    text: str, related: str, unrelated: str
) -> None:
    near = cosine(vector(text), vector(related))
    far = cosine(vector(text), vector(unrelated))

    assert near > 2 * abs(far) + 0.1


def test_stop_words_and_order_do_not_matter() -> None:
    assert cosine(vector("the shop of the baker"), vector("baker shop")) > 0.99


@pytest.mark.parametrize("text", ["the and of", " ", "!?", "\ud800", "🦊"])
def test_a_text_without_content_words_has_a_vector_too(text: str) -> None:
    assert math.fsum(value * value for value in vector(text)) == pytest.approx(1, abs=1e-6)


def test_vectors_of_two_models_of_one_dimension_do_not_compare() -> None:
    text = "a text about databases and migrations and shops"
    one = run(BGE, {"text": text})["data"][0]
    other = run("@cf/google/embeddinggemma-300m", {"text": text})["data"][0]

    assert abs(cosine(one, other)) < 0.2


def test_two_thousand_short_texts_take_a_second() -> None:
    texts = [f"Order {n} of the customer arrived late at branch {n % 7}" for n in range(500)]
    vector("warm up")

    started = time.process_time()
    for text in texts:
        vector(text)

    assert len(texts) / (time.process_time() - started) > 1000  # twice the time, on a busy machine
