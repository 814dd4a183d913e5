"""The report's colours by role, once light and once dark, for the page and for its charts alike.

Text has a contrast of at least 4.5 to the page and lines one of 3 (WCAG 2.2 AA; tested). No meaning is carried by
colour alone: lines differ in dash or marker too, outcomes have a sign and a word.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Colour:
    """The light one names the colour inside charts, so no two roles may share it."""

    light: str
    dark: str


PALETTE = {
    # the page
    "page": Colour(light="#f6f7f9", dark="#12151b"),
    "card": Colour(light="#ffffff", dark="#1b2029"),
    "ink": Colour(light="#1a1f29", dark="#e7eaf0"),
    "muted": Colour(light="#556070", dark="#a3adbd"),
    "rule": Colour(light="#d5dae2", dark="#343c4a"),
    "grid": Colour(light="#e6e9ee", dark="#2a313d"),
    "accent": Colour(light="#1d5fc4", dark="#8ab8ff"),
    "pass": Colour(light="#12713f", dark="#5fd093"),
    "fail": Colour(light="#b3202c", dark="#ff8087"),
    "inconclusive": Colour(light="#8a5200", dark="#f5b94a"),
    # rates
    "offered": Colour(light="#444d5c", dark="#c3cad6"),
    "achieved": Colour(light="#7d8796", dark="#8f9aab"),
    "good": Colour(light="#0f7a45", dark="#4fcb8b"),
    "late": Colour(light="#1b7190", dark="#6fc6e6"),
    "shed": Colour(light="#b56200", dark="#ffb03a"),
    "disabled": Colour(light="#7b45b8", dark="#c59bff"),
    "errors": Colour(light="#c62a36", dark="#ff6b74"),
    # latency
    "p50": Colour(light="#4585c6", dark="#5b93cc"),
    "p95": Colour(light="#2b6cb8", dark="#86bdf5"),
    "p99": Colour(light="#123f7d", dark="#cfe4ff"),
    "slowest": Colour(light="#868fa0", dark="#7c879a"),
    "objective": Colour(light="#a4161f", dark="#ff8f95"),
    # levels
    "shown": Colour(light="#0b6f7e", dark="#4cc9da"),
    "shown_band": Colour(light="rgba(11,111,126,0.22)", dark="rgba(76,201,218,0.24)"),
    # controllers, and what the inputs of each call for
    "controller": Colour(light="#9a2f86", dark="#f08be0"),
    "controller2": Colour(light="#8b6d00", dark="#dcc04a"),
    "controller3": Colour(light="#3d6be0", dark="#7fa6ff"),
    "controller4": Colour(light="#3a3d44", dark="#d9dce2"),
    # priorities, and the curve promised for each
    "priority1": Colour(light="#1f4ea3", dark="#8fb4ff"),
    "priority2": Colour(light="#0d7f6b", dark="#46d3b8"),
    "priority3": Colour(light="#b05a08", dark="#ffb45e"),
    "priority4": Colour(light="#a01f66", dark="#ff8cc6"),
    # marks
    "fault": Colour(light="#c2333e", dark="#ff7b83"),
    "fault_band": Colour(light="rgba(194,51,62,0.11)", dark="rgba(255,123,131,0.16)"),
    "phase": Colour(light="#9aa3b1", dark="#566173"),
    "moment": Colour(light="#1d60c5", dark="#8ab9ff"),
    "moment_band": Colour(light="rgba(29,95,196,0.16)", dark="rgba(138,184,255,0.24)"),
    "alert": Colour(light="#925400", dark="#f7bd52"),
    "unhealthy": Colour(light="#6b4a9e", dark="#b99af0"),
}
assert len({colour.light for colour in PALETTE.values()}) == len(PALETTE), "charts find a colour by its light value"


def light(role: str) -> str:
    return PALETTE[role].light


def css_variables(theme: str) -> str:
    """The palette as CSS custom properties: `--good: #…;`."""
    return " ".join(f"--{role.replace('_', '-')}: {getattr(colour, theme)};" for role, colour in PALETTE.items())


def light_to_dark() -> dict[str, str]:
    return {colour.light: colour.dark for colour in PALETTE.values()}
