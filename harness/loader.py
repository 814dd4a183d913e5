"""Files that people write to types: every word checked, and every mistake told with file, line and nearest word.

Reads files and nothing else: no clock, no network, nothing is started. What is loaded here holds together (links,
services, levels and phases that are named exist, faults fit into their phase), so later steps need not ask again.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import msgspec

from harness.capacity.inputs import Inputs, out_of_range
from harness.errors import ExperimentError
from harness.experiment.experiment import Experiment, Variable
from harness.experiment.faults import MomentaryFault, WrittenFault
from harness.loading.crosscheck import experiment_mistakes, fault_mistakes
from harness.loading.crosscheck_target import target_mistakes
from harness.loading.mistakes import at, convert, did_you_mean, shortened
from harness.loading.target_part import part_of
from harness.loading.yaml_file import Document, Where, parsed, plain, read_document
from harness.target.target import TargetPart, TargetSpec
from harness.units import Seconds

PROFILE_FOLDER = "loadprofiles"
PART_OF = "part_of"

_MOMENTARY = [kind.__struct_config__.tag for kind in get_args(MomentaryFault)]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_USE = re.compile(r"\$\{([^${}]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedExperiment:
    """A checked experiment and the files it names; `variables` are those in force, as text. Paths are absolute.
    `document` knows the lines, for whoever finds a mistake later."""

    document: Document
    experiment: Experiment
    target: TargetSpec
    source: str
    variables: dict[str, str]
    path: Path
    target_path: Path
    profile_path: Path


def load_experiment(path: Path, *, short: bool = False, overrides: Mapping[str, str] = {}) -> LoadedExperiment:
    """Read an experiment with the target it names; ExperimentError for whatever is wrong in either.

    `short` puts the file's `short` values in the place of its `variables`; `overrides` (`--set name=value`) win over
    both.
    """
    document = read_document(path)
    variables = _variables_in_force(document, short=short, overrides=overrides)
    value, used = _interpolated(document, variables)
    _refuse_unused(document, variables, used)
    experiment = convert(document, value, Experiment)
    target_path = _find(document, ("target",), experiment.target)
    target = load_target(target_path)
    profile_path = _profile_path(document, experiment.load.profile)
    _raise_all(experiment_mistakes(document, experiment, target))
    return LoadedExperiment(
        document=document,
        experiment=experiment,
        target=target,
        source=document.text,
        variables={name: _as_text(value) for name, value in variables.items()},
        path=path.resolve(),
        target_path=target_path,
        profile_path=profile_path,
    )


def load_target(path: Path) -> TargetSpec:
    """Read a `target.yaml`, or a file that names a part of one; ExperimentError for whatever is wrong in it."""
    document = read_document(path)
    if isinstance(document.value, dict) and PART_OF in document.value:
        return _part(document)
    target = convert(document, document.value, TargetSpec)
    _raise_all(target_mistakes(document, target))
    return target


def _part(document: Document) -> TargetSpec:
    part = convert(document, document.value, TargetPart)
    path = document.path.parent / part.part_of
    if not _is_file(path):
        raise document.mistake((PART_OF,), f"there is no file {shortened(part.part_of)} beside this one.")
    whole = convert(read := read_document(path), read.value, TargetSpec)  # so a part of a part is refused
    _raise_all(target_mistakes(read, whole))
    for number, region in enumerate(part.regions):
        if region not in whole.regions:
            sentence = f"{shortened(region)} is not a region of {part.part_of}."
            raise document.mistake(("regions", number), sentence, did_you_mean(region, whole.regions))
    if not part.regions:
        raise document.mistake(("regions",), "a part has at least one region.", f"Known: {', '.join(whole.regions)}.")
    if part.target_rate_per_replica is not None:
        if part_of(whole, part).promises.shedding is None:
            raise document.mistake(("target_rate_per_replica",), "this target promises no shedding.")
        if part.target_rate_per_replica <= 0:
            raise document.mistake(("target_rate_per_replica",), f"{part.target_rate_per_replica} is not above 0/s.")
    return part_of(whole, part)


class _ByHand(msgspec.Struct, frozen=True, kw_only=True):
    fault: WrittenFault


def load_fault(text: str, *, lasts: Seconds, target: TargetSpec) -> WrittenFault:
    """One fault as it stands in an experiment, without its times: it begins at once and lasts `lasts`."""
    document = parsed(Path("inject"), text)
    if not isinstance(document.value, dict):
        raise document.mistake((), "a mapping is needed, e.g. {kind: pause, service: us-east-api-1}.")
    times = {"at": "0s"} if document.value.get("kind") in _MOMENTARY else {"at": "0s", "lasts": str(lasts)}
    for key in document.value.keys() & times.keys():
        raise document.mistake((key,), f'"{key}" is not for a fault by hand: it begins at once.', "Use --lasts.")
    fault = convert(document, {"fault": {**document.value, **times}}, _ByHand).fault
    _raise_all(fault_mistakes(document, fault, target))
    return fault


def load_capacity_inputs(path: Path) -> Inputs:
    """Read the inputs of a capacity plan, defaults for all that is left out; ExperimentError for what is wrong."""
    document = read_document(path)
    inputs = convert(document, document.value, Inputs)
    wrong = [(where, why, at(document.value, where)) for where, why in out_of_range(inputs)]
    _raise_all([document.mistake(where, f"{shortened(value)} {why}.") for where, why, value in wrong])
    return inputs


def _raise_all(mistakes: list[ExperimentError]) -> None:
    """One error with every mistake, so that a person can mend them in one go."""
    if mistakes:
        raise ExperimentError("\n".join(str(mistake) for mistake in mistakes))


# --- variables ------------------------------------------------------------------------------------------------------


class _Variables(msgspec.Struct, frozen=True, kw_only=True):
    """The two sections of an experiment that are needed before all others."""

    variables: dict[str, Variable] = {}
    short: dict[str, Variable] = {}


def _variables_in_force(document: Document, *, short: bool, overrides: Mapping[str, str]) -> dict[str, Variable]:
    if not isinstance(document.value, dict):
        raise document.mistake((), "a mapping is needed: title, hypothesis, target, load, phases, expect.")
    sections = convert(document, document.value, _Variables)
    _check_variables(document, sections)
    variables = dict(sections.variables)
    if short:
        variables.update(sections.short)
    for name, text in overrides.items():
        if name not in sections.variables:
            raise document.mistake(
                ("variables",),
                f"--set {name[:60]}=…: there is no such variable.",
                did_you_mean(name, sections.variables),
            )
        variables[name] = _overridden(document, name, text, sections.variables[name])
    return variables


def _check_variables(document: Document, sections: _Variables) -> None:
    for name, value in sections.variables.items():
        where: Where = ("variables", name)
        if not _NAME.fullmatch(name):
            raise document.mistake(where, f"{shortened(name)} is not a name: use letters, digits and _.")
        if isinstance(value, str) and "${" in value:
            raise document.mistake(where, "a variable may not use another one.")
    for name, value in sections.short.items():
        where = ("short", name)
        if name not in sections.variables:
            hint = did_you_mean(name, sections.variables)
            raise document.mistake(where, f"{shortened(name)} is not one of the variables.", hint)
        if isinstance(value, str) and "${" in value:
            raise document.mistake(where, "a variable may not use another one.")
        if _kind(value) != _kind(sections.variables[name]):
            wanted = f"{_kind(sections.variables[name])}, as in `variables`"
            raise document.mistake(where, f"{shortened(value)} is not {wanted}.")


def _kind(value: Variable) -> str:
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case _:
            return "text"


def _overridden(document: Document, name: str, text: str, own: Variable) -> Variable:
    """The text of `--set` in the variable's own type."""
    if isinstance(own, str):
        if "${" in text:
            raise document.mistake(("variables", name), f"--set {name}: a variable may not use another one.")
        return text
    try:
        value = plain(text.strip())
    except OverflowError as error:
        raise document.mistake(("variables", name), f"--set {name}: {error}.") from error
    if isinstance(value, bool | int | float) and _kind(value) == _kind(own):
        return value
    raise document.mistake(("variables", name), f"--set {name}={shortened(text)}: {name} is {_kind(own)}.")


def _as_text(value: Variable) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _interpolated(document: Document, variables: Mapping[str, Variable]) -> tuple[object, set[str]]:
    """The document's value with every `${name}` filled in, and the names that were used."""
    used: set[str] = set()

    def fill(value: object, where: Where) -> object:
        if isinstance(value, dict):
            return {key: fill(part, (*where, key)) for key, part in value.items()}
        if isinstance(value, list):
            return [fill(part, (*where, number)) for number, part in enumerate(value)]
        return _filled(document, value, where, variables, used) if isinstance(value, str) else value

    assert isinstance(document.value, dict)
    sections = {key: part for key, part in document.value.items() if key in ("variables", "short")}
    rest = {key: fill(part, (key,)) for key, part in document.value.items() if key not in sections}
    return {**rest, **sections}, used


def _filled(document: Document, text: str, where: Where, variables: Mapping[str, Variable], used: set[str]) -> Variable:
    for name in _USE.findall(text):
        if name not in variables:
            sentence = f'"${{{name[:60]}}}" names no variable.'
            raise document.mistake(where, sentence, did_you_mean(name, variables))
        used.add(name)
    if "${" in _USE.sub("", text):
        raise document.mistake(where, f"{shortened(text)} has a ${{ that is not closed.", "Write ${name}.")
    whole = _USE.fullmatch(text)
    if whole is not None:
        return variables[whole.group(1)]
    return _USE.sub(lambda use: _as_text(variables[use.group(1)]), text)


def _refuse_unused(document: Document, variables: Mapping[str, Variable], used: set[str]) -> None:
    """A variable that is used nowhere is a misspelling, or `--set` would silently do nothing."""
    for name in variables:
        if name not in used:
            raise document.mistake(
                ("variables", name), f'"{name}" is used nowhere.', f"Write ${{{name}}} where it belongs, or remove it."
            )


# --- the files that an experiment names -----------------------------------------------------------------------------


def _find(document: Document, where: Where, name: str) -> Path:
    """The file `name`, relative to the experiment's folder or the nearest folder above that has it."""
    for folder in _folders_up(document.path):
        candidate = folder / name
        if _is_file(candidate):
            return candidate.resolve()
    raise document.mistake(where, f"there is no file {shortened(name)}, neither here nor in a folder above.")


def _profile_path(document: Document, name: str) -> Path:
    where = ("load", "profile")
    if name.endswith(".py"):
        return _find(document, where, name)
    known: list[str] = []
    for folder in _folders_up(document.path):
        profiles = folder / PROFILE_FOLDER
        candidate = profiles / f"{name}.py"
        if _NAME.fullmatch(name) and _is_file(candidate):
            return candidate.resolve()
        known += [each.stem for each in profiles.glob("*.py") if not each.stem.startswith("_")]
    nowhere = f"There is none in a folder {PROFILE_FOLDER}, here or above. A path that ends in .py is one, too."
    hint = did_you_mean(name, known) if known else nowhere
    raise document.mistake(where, f"{shortened(name)} is not a load profile.", hint)


def _folders_up(path: Path) -> list[Path]:
    folder = path.resolve().parent
    return [folder, *folder.parents]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, or has a NUL in it
        return False
