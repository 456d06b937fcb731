"""What a test declares for its worker: the network, answers of `env.AI`, faults of bindings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bindings.ai.ledger import read
from bindings.ai.settings import Rule as AiRule
from emulator.durations import InvalidDuration, parse_duration_ms
from emulator.errors import WorkerError
from emulator.kinds.ai import ledger_path
from emulator.kinds.service import ServiceRecord
from emulator.testing.ai_answers import WHERE, Answers, shown
from emulator.testing.faults import Fault
from emulator.testing.operations import Args, asked, told
from emulator.testing.outbound import Rule as OutboundRule
from emulator.testing.refusals import NoSuch, Refused
from emulator.testing.subject import Subject


@told("outbound.rule")
def add_outbound_rule(subject: Subject, args: Args) -> None:
    """Add a rule, or change the one with this number."""
    if isinstance(args.get("raises"), list):
        args["raises"] = tuple(args["raises"])
    rule, rules = OutboundRule(**args), subject.outbound.rules
    for place, other in enumerate(rules):
        if other.number == rule.number:
            rule.calls = other.calls
            rules[place] = rule
            return
    rules.append(rule)


@told("outbound.allow")
def allow(subject: Subject, args: Args) -> None:
    """Let requests to hosts through."""
    subject.outbound.allowed.update(args["hosts"])


@asked("outbound.calls")
async def outbound_calls(subject: Subject, args: Args) -> list[dict[str, Any]]:
    """Return the requests that a rule has answered; number 0: that any rule has."""
    chosen = [rule for rule in subject.outbound.rules if args["number"] in (0, rule.number)]
    return [call for rule in chosen for call in rule.calls]


@asked("outbound.judged")
async def judged(subject: Subject, args: Args) -> dict[str, list[str]]:
    """Return the requests that no rule was for, and the rules that answered nothing."""
    unused = [rule.shown for rule in subject.outbound.rules if not rule.calls]
    return {"unexpected": subject.outbound.unexpected, "unused": unused}


@asked("stand_in")
async def stand_in(subject: Subject, args: Args) -> None:
    """Let a function of the test answer for a service binding."""
    name = args["binding"]
    services = {bound.name: bound.record for bound in subject.config.bound(ServiceRecord)}
    if name not in services:
        there = ", ".join(sorted(services)) or "none"
        raise NoSuch(
            f"bindings: {name} is no service binding. There are: {there}. Variables are replaced by"
            " vars; what other bindings do is declared by faults, worker.outbound and worker.ai."
        )
    if services[name].is_own:
        raise Refused(f"bindings: {name} is bound to the worker itself, and is not replaced.")
    subject.stand_ins[name] = args["function"]


@asked("fault")
async def add_fault(subject: Subject, args: Args) -> None:
    """Declare a fault of a binding."""
    names = sorted(bound.name for bound in subject.config.bindings)
    if args["binding"] not in names:
        raise NoSuch(f"There is no binding {args['binding']}. There are: {', '.join(names)}.")
    delay = args.pop("delay", None)
    try:
        args["delay_ms"] = 0 if delay is None else parse_duration_ms(delay)
    except InvalidDuration as error:
        raise Refused(f"The delay is {error}") from None
    subject.faults.declared.append(Fault(**args))


@asked("faults.unused")
async def unused_faults(subject: Subject, args: Args) -> list[str]:
    """Return the faults that never came, in words."""
    found = []
    for fault in subject.faults.declared:
        if not fault.used:
            count = len(subject.faults.calls.get(fault.binding, ()))
            found.append(f"{fault.shown}; the worker called {fault.binding} {count} times")
    return found


@asked("binding.calls")
async def binding_calls(subject: Subject, args: Args) -> list[list[Any]]:
    """Return the calls of a binding by the worker: `[method, how many statements]` of each."""
    return [list(call) for call in subject.faults.calls.get(args["binding"], ())]


@asked("ai.rule")
async def add_ai_rule(subject: Subject, args: Args) -> None:
    """Add a rule: the fields of `Rule`."""
    answers = _answers_of(subject)
    number = len(answers.rules) + 1
    if isinstance(args.get("sequence"), list):
        args["sequence"] = tuple(args["sequence"])
    rule = AiRule(**args, where=f"{WHERE}{number}")
    try:
        answers.rules = (*answers.rules, rule)
        answers.check()
    except (ValueError, WorkerError) as error:
        answers.rules = answers.rules[:-1]
        raise Refused(f"The rule for env.AI cannot be used: {error}") from None


@asked("ai.cassette")
async def use_cassette(subject: Subject, args: Args) -> None:
    """Answer from a cassette, or record one: `mode` of `AiSettings`, `path`."""
    settings = _answers_of(subject).settings
    if args["mode"] not in ("replay", "stub") and settings.upstream is None:
        raise Refused(
            "Nobody can be asked, so no answers of env.AI are recorded: add [ai] with"
            ' upstream = "cloudflare", or the name of an [ai.upstreams.NAME], to groundfog.toml.'
        )
    subject.ai_settings = replace(settings, mode=args["mode"], cassette=args["path"])
    _answers_of(subject).use(subject.ai_settings)


@asked("ai.calls")
async def ai_calls(subject: Subject, args: Args) -> list[dict[str, Any]]:
    """Return the calls of `env.AI`, as the ledger has them."""
    _answers_of(subject)
    return [dict(line) for line in read(ledger_path(subject.worker.state))]


@asked("ai.unused")
async def unused_ai_rules(subject: Subject, args: Args) -> list[str]:
    """Return the rules that answered nothing, in words."""
    if subject.answers is None or not subject.answers.rules:
        return []
    used = {line.get("answered_by") for line in read(ledger_path(subject.worker.state))}
    return [shown(rule) for rule in subject.answers.rules if rule.where not in used]


def _answers_of(subject: Subject) -> Answers:
    if subject.answers is None:
        raise NoSuch(f"{subject.config.path.name} has no [ai] binding.")
    return subject.answers
