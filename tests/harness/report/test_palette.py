import pytest

from harness.report.palette import PALETTE

TEXT = ("ink", "muted", "accent", "pass", "fail", "inconclusive")
NOT_READ = ("page", "card", "rule", "grid", "phase")  # surfaces and hairlines
LINES = tuple(role for role in PALETTE if role not in (*NOT_READ, *TEXT) and not role.endswith("_band"))


def _luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG 2.2's ratio, from 1 (the same) to 21 (black on white)."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_ratio_is_the_one_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("surface", ["page", "card"])
@pytest.mark.parametrize(("roles", "least"), [(TEXT, 4.5), (LINES, 3.0)])
def test_text_and_lines_stand_out_in_both_themes(
    theme: str, surface: str, roles: tuple[str, ...], least: float
) -> None:
    behind = getattr(PALETTE[surface], theme)
    ratios = {role: round(contrast(getattr(PALETTE[role], theme), behind), 2) for role in roles}

    assert {role: ratio for role, ratio in ratios.items() if ratio < least} == {}
