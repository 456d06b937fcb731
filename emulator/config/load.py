"""Reads a project's whole configuration: every file, every rule, one report.

Start here; each step below is a separate module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from emulator.clock import Clock, SystemClock
from emulator.config import vars_section, worker_section
from emulator.config.binding_names import BindingNames
from emulator.config.discover import Location, NotFound, locate
from emulator.config.dotenv_files import EnvFiles, Secrets, load_secrets
from emulator.config.environments import Selected, chosen_environment, select_environment
from emulator.config.groundfog_toml import FILE_NAME, read_settings, read_source, section_of
from emulator.config.keys import BUNDLING
from emulator.config.model import Bound, Bundling, Config, Settings, Unsupported
from emulator.config.problems import Fault, InvalidConfig, Report
from emulator.config.source import Parsed, Source, key_name
from emulator.config.table import Table
from emulator.config.text_files import read_text, shown_path
from emulator.config.toml_source import parse_toml
from emulator.config.unsupported import read_unsupported, warn_about_unsupported
from emulator.json_types import Json
from emulator.kinds.kind import Section
from emulator.kinds.registry import KINDS

_EMPTY_FIX = 'Give it at least name, main and compatibility_date, e.g. main = "src/entry.py".'
_NO_VARS: Mapping[str, str] = {}
_NO_KEYS: Mapping[str, Json] = {}


@dataclass(frozen=True, slots=True, repr=False)  # it holds secrets
class _Inputs:
    location: Location
    env_files: EnvFiles
    cli_vars: Mapping[str, str]
    process_env: Mapping[str, str]
    now_ms: int
    runs_code: bool
    cli_keys: Mapping[str, Json]


def load_config(
    start_dir: Path,
    *,
    config_path: Path | None = None,
    environment: str | None = None,
    cli_vars: Mapping[str, str] = _NO_VARS,
    env_files: Sequence[Path] = (),
    process_env: Mapping[str, str],
    clock: Clock | None = None,
    runs_code: bool = True,
    cli_keys: Mapping[str, Json] = _NO_KEYS,
) -> Config:
    """Return the configuration of the worker in `start_dir` or above it.

    `config_path` (`--config`) is relative to `start_dir` and used as it is. `environment` None
    leaves the choice to CLOUDFLARE_ENV, "" chooses the top level. `env_files` (`--env-file`) are
    relative to the configuration's directory. Without `runs_code`, `main` is not checked: it is
    the configuration's directory.
    `cli_keys`: values of the command line that stand in place of the file's. If they have `main`,
    there need be no file.
    Raises InvalidConfig; its text lists every problem, and its `files` should be watched.
    """
    report = Report()
    try:
        location = locate(start_dir, config_path, report)
    except NotFound as fault:
        if "main" not in cli_keys or config_path is not None:
            problem = fault.problem(fault.shown)
            raise InvalidConfig([problem], report.warnings, fault.probed) from None
        nothing = start_dir.absolute() / "wrangler.toml"
        location = Location(nothing, nothing, list(fault.probed))
    chosen = chosen_environment(environment, process_env)
    dotenv = EnvFiles(location.project_dir, start_dir, chosen, env_files)
    now_ms = (clock or SystemClock()).now_ms()
    inputs = _Inputs(location, dotenv, cli_vars, process_env, now_ms, runs_code, cli_keys)
    return _load(inputs, report)


def _load(inputs: _Inputs, report: Report) -> Config:
    location, start_dir = inputs.location, inputs.env_files.start_dir
    settings_path = location.project_dir / FILE_NAME
    files = [*location.probed, settings_path]
    files += [*inputs.env_files.dev_vars(), *inputs.env_files.dot_env()]
    source = _read_source(location, start_dir, report, may_be_absent="main" in inputs.cli_keys)
    selected = _select(source, inputs, report) if source is not None else None
    shown = shown_path(settings_path, start_dir)
    settings_file = read_source(settings_path, shown, report)
    settings = _read_settings(settings_file, inputs)
    if selected is not None:
        for key, value in inputs.cli_keys.items():
            selected.owner(key).data[key] = value
    if selected is None:
        # The rest cannot be read; problems in the other files are still reported.
        load_secrets(inputs.env_files, inputs.process_env, report, always_include_env=False)
        raise InvalidConfig(report.problems, report.warnings, _unique(files))
    config = _read_config(selected, inputs, settings, report)
    _review(config, settings_file)
    if report.problems:
        raise InvalidConfig(report.problems, report.warnings, _unique([*files, config.main]))
    return _finished(config, report, files)


def _read_settings(file: Table, inputs: _Inputs) -> Settings:
    kinds = [kind for kind in KINDS if kind.settings]
    settings = read_settings(file, [kind.settings for kind in kinds])
    of_kinds = {
        kind.name: kind.read_settings(
            section_of(file, kind.settings, kind.header), inputs.process_env
        )
        for kind in kinds
    }
    return replace(settings, kinds=of_kinds)


def _review(config: Config, settings_file: Table) -> None:
    for kind in KINDS:
        data = settings_file.data.get(kind.settings)
        section = (kind.settings,), settings_file.source, settings_file.report
        kind.review(config, Table(data if isinstance(data, dict) else {}, *section))


def _read_source(
    location: Location, start_dir: Path, report: Report, *, may_be_absent: bool
) -> Source | None:
    shown = shown_path(location.path, start_dir)
    if may_be_absent and not location.path.exists():
        return Source("the command line", Parsed({}, {}))
    try:
        text = read_text(location.path)
        if not text.strip():
            raise Fault("the file is empty; expected the worker's configuration", _EMPTY_FIX)
        source = Source(shown, _parse(text, location.path))
    except Fault as fault:
        report.problems.append(fault.problem(shown))
        return None
    for path, line in source.parsed.repeated:
        text = f"{key_name(path)} is given twice; the last one counts"
        report.warn(f"{shown}:{line}", text, "Remove one of the two.")
    return source


def _parse(text: str, path: Path) -> Parsed:
    if path.suffix == ".toml":
        return parse_toml(text)
    from emulator.config.jsonc_source import parse_jsonc

    return parse_jsonc(text)


def _select(source: Source, inputs: _Inputs, report: Report) -> Selected | None:
    if inputs.location.is_redirected and "env" in source.parsed.data:
        report.error(
            source.where(("env",)),
            "Redirected configurations cannot include environments, and this one has env",
            f"Remove env from it; it was generated from {inputs.location.user_path.name}.",
        )
    if "pages_build_output_dir" in source.parsed.data:
        report.error(
            source.where(("pages_build_output_dir",)),
            "pages_build_output_dir makes this a Pages project; expected a Worker",
            "Remove it and set main.",
        )
    try:
        return select_environment(source, inputs.env_files.environment, report)
    except Fault as fault:
        report.problems.append(fault.problem(source.shown))
        return None


def _read_config(selected: Selected, inputs: _Inputs, settings: Settings, report: Report) -> Config:
    location = inputs.location
    config_dir = location.path.parent
    names = BindingNames()
    name = worker_section.read_name(selected)
    is_python = worker_section.names_python(selected)
    bundling = _read_bundling(selected, config_dir, is_python)
    made = bundling.build is not None
    main = worker_section.read_main(selected, config_dir, needed=inputs.runs_code, made=made)
    bindings: list[Bound[Any]] = []
    for kind in KINDS:
        own = settings.kinds.get(kind.name)
        bindings += kind.read(
            Section(kind, selected, names, config_dir, name, own, inputs.process_env)
        )
    sections = [kind.section for kind in KINDS]
    bindings += read_unsupported(selected, names, sections)
    variables = _read_variables(selected, names, inputs, report)
    config = Config(
        path=location.path,
        project_dir=location.project_dir,
        name=name,
        main=main or config_dir,
        compatibility_date=worker_section.read_compatibility_date(selected, inputs.now_ms),
        compatibility_flags=worker_section.read_compatibility_flags(selected, main),
        environment=selected.environment,
        environments=tuple(selected.names()),
        vars=variables.values,
        secret_names=variables.secret_names,
        bindings=tuple(bindings),
        elsewhere=_read_elsewhere(selected, [*variables.values, *(each.name for each in bindings)]),
        dev=worker_section.read_dev(selected),
        bundling=bundling,
        settings=settings,
    )
    names.report_duplicates(report)
    emulated = sections if is_python else [*sections, *BUNDLING]
    warn_about_unsupported(selected, config.bound(Unsupported), emulated)
    return config


def _read_elsewhere(selected: Selected, here: list[str]) -> dict[str, str]:
    if "env" not in selected.top.data:
        return {}
    from emulator.config.elsewhere import names_elsewhere  # most projects have one environment

    return names_elsewhere(selected, here)


def _read_bundling(selected: Selected, config_dir: Path, is_python: bool) -> Bundling:
    if is_python and "rules" not in selected.owner("rules").data:
        return Bundling()
    from emulator.config.bundling_section import (  # most Python workers do without it
        read_bundling,
        read_python_rules,
    )

    if is_python:
        return Bundling(rules=read_python_rules(selected, config_dir))
    return read_bundling(selected, config_dir)


def _read_variables(
    selected: Selected, names: BindingNames, inputs: _Inputs, report: Report
) -> vars_section.Variables:
    configured = vars_section.read_vars(selected, names)
    required = vars_section.read_required_secrets(selected, names)
    secrets: Secrets = load_secrets(
        inputs.env_files, inputs.process_env, report, always_include_env=required is not None
    )
    variables = vars_section.combine(configured, required, secrets, inputs.cli_vars)
    vars_section.report_variables(variables, required, secrets, names, inputs.cli_vars, selected)
    return variables


def _finished(config: Config, report: Report, files: Sequence[Path]) -> Config:
    return replace(config, warnings=tuple(report.warnings), files=_unique(files))


def _unique(paths: Sequence[Path]) -> tuple[Path, ...]:
    return tuple(dict.fromkeys(paths))
