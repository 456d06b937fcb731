"""TypeScript workers on Groundfog, beside workerd native and wrangler dev: one project, one run.

The figures are those of the other programs, with the goals for TypeScript, and saves of a large
bundle. Needs GROUNDFOG_WRANGLER and GROUNDFOG_NODE, see README.md.
"""

from __future__ import annotations

from dataclasses import replace

from benchmarks import load, memory, save, sleepers, start, steps
from benchmarks.command_line import main
from benchmarks.figures import Figure, Program, Unit
from benchmarks.peers import Peer, groundfog_typescript, rivals
from benchmarks.servers import Server, running

LARGE_BYTES = 1_300_000  # of the bundle
LARGE = Figure("save → new response, bundle of 1.3 MB, median", Unit.SECONDS, goal=0.45)

GOALS = {
    start.START: 0.30,
    save.MEDIAN: 0.12,
    save.LATE: None,
    steps.WIDE: 15_000,
    steps.LARGE: 15_000,
    steps.SEQUENTIAL: 1_800,
    steps.CREATION: 5_000,
    load.PLAIN: 13_000,
    load.D1: None,  # against workerd native: plain 0.8 times, with D1 1.1 times as many
    memory.PROPORTIONAL: 140_000_000,
}


def measure_large(peer: Peer) -> dict[str, list[float]]:
    with running(peer) as server:
        _enlarge(server)
        try:
            save.take_up(server, 1)  # the first build of the large bundle is not a save's
        except TimeoutError:
            if peer.name.startswith("groundfog"):
                raise
            return {}  # workerd native took up none within half a minute: no figure
        samples = [save.take_up(server, number) for number in range(2, save.SAVES + 2)]
    return {LARGE.name: samples}


def _enlarge(server: Server) -> None:
    """Let the project import a module that makes its bundle large."""
    function = "export function f{0}(n: number): number {{ return n * {0} + (n % {0} || {0}); }}\n"
    code = ""
    count = 0
    while len(code) < LARGE_BYTES:
        count += 1
        code += function.format(count)
    code += "export const all = [" + ", ".join(f"f{n}" for n in range(1, count + 1)) + "];\n"
    server.source.with_name("large.ts").write_text(code)
    text = server.source.read_text()
    use = 'import { all } from "./large";\n(globalThis as any).large = all.length;\n'
    server.source.write_text(use + text)


def _with_goals(program: Program) -> Program:
    figures = tuple(
        replace(figure, goal=GOALS.get(figure, figure.goal)) for figure in program.figures
    )
    return replace(program, figures=figures)


PROGRAMS = [
    *map(_with_goals, (start.PROGRAM, save.PROGRAM)),
    Program(figures=(LARGE,), repetitions=2, measure=measure_large),
    *map(_with_goals, (steps.PROGRAM, load.PROGRAM, memory.PROGRAM, sleepers.PROGRAM)),
]

if __name__ == "__main__":
    main(PROGRAMS, lambda: [groundfog_typescript(), *rivals()])
