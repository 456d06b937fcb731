"""Words that stand for other words: data for choosing the label of a text.

Likeness of letters shows that "migrating" is near "migration". It does not show that "moving to
another platform" is near it too. These are the usual words for common labels. Stems are compared,
so one form of a word is enough.
"""

from __future__ import annotations

from bindings.ai.language import stem

# Words of a label: words of texts that deserve the label.
_GROUPS: tuple[tuple[str, str], ...] = (
    (
        "migration migrate replatform move switch",
        "migrate move replace replatform transfer switch port upgrade legacy import sunset convert "
        "headless outdated obsolete support hosting successor",
    ),
    (
        "redesign refresh usability ux accessibility",
        "redesign usability accessible accessibility wcag screen layout navigation interface "
        "refresh disabled reader contrast visual",
    ),
    (
        "website site web landing frontend",
        "website site page homepage landing browser visitor cms blog domain hosting",
    ),
    (
        "ecommerce commerce shop store retail",
        "shop store checkout cart order payment catalogue catalog product price stock sell seller",
    ),
    (
        "data analytics analysis reporting platform warehouse bi",
        "data dashboard warehouse report analytics metric sql query dataset figure pipeline source "
        "database spreadsheet statistics forecast",
    ),
    (
        "audit review assessment compliance security",
        "audit review assess test penetration vulnerability attack iso soc gdpr compliance finding "
        "security retest scope evidence risk",
    ),
    (
        "optimisation optimization performance efficiency",
        "optimise optimize route schedule planner solver faster efficient kilometre slow speed "
        "latency tune saving waste tour vehicle",
    ),
    (
        "content production creative media video film writing",
        "film video photo photography article script edit podcast story shoot footage writer "
        "animation sound interview",
    ),
    (
        "campaign marketing advertising promotion fundraising",
        "campaign donor appeal advertising social audience donation newsletter email channel "
        "awareness slogan audience media launch",
    ),
    (
        "installation exhibition interactive event",
        "exhibition museum gallery visitor projection sensor installation exhibit room interactive "
        "event venue",
    ),
    (
        "mobile app application ios android",
        "app mobile ios android phone tablet push smartphone",
    ),
    (
        "integration api automation",
        "api integrate webhook connect sync automate endpoint interface workflow export import",
    ),
    (
        "product startup mvp prototype",
        "launch startup mvp prototype idea founder pilot version invent",
    ),
    (
        "bug technical error incident defect",
        "bug error crash broken fail exception freeze login password timeout outage down",
    ),
    (
        "billing payment invoice refund finance",
        "bill invoice refund charge charged payment card subscription price fee receipt",
    ),
    (
        "account access login profile",
        "account password login log email sign profile username locked reset access",
    ),
    (
        "shipping delivery logistics order",
        "ship parcel package deliver delivery courier tracking arrive arrived warehouse order",
    ),
    (
        "sales pricing quote purchase lead",
        "price quote buy purchase plan licence license seat demo trial discount enterprise",
    ),
    (
        "complaint negative unhappy angry",
        "terrible awful disappointed angry worst complain unacceptable bad poor rude broken",
    ),
    (
        "praise positive feedback happy compliment",
        "great love excellent thanks thank wonderful happy amazing fantastic perfect good",
    ),
    (
        "urgent critical emergency high",
        "urgent urgently immediately asap emergency critical outage blocked",
    ),
    (
        "hiring recruiting hr job",
        "hire candidate job interview vacancy salary applicant recruit",
    ),
    (
        "legal contract privacy",
        "contract clause lawyer law legal liability gdpr consent terms privacy",
    ),
)

RELATED: dict[str, frozenset[str]] = {}
for _labels, _said in _GROUPS:
    for _label in _labels.split():
        _known = RELATED.get(stem(_label), frozenset())
        RELATED[stem(_label)] = _known | {stem(word) for word in _said.split()}
