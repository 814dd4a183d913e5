import pytest

from harness.target.interpolation import InterpolationError, interpolated

VARIABLES = {"HOST": "127.0.0.2", "EMPTY": "", "_1": "underscore"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("no variable", "no variable"),
        ("$HOST", "127.0.0.2"),
        ("${HOST}", "127.0.0.2"),
        ("${HOST}:${HOST}", "127.0.0.2:127.0.0.2"),
        ("$HOST:80", "127.0.0.2:80"),
        ("$_1", "underscore"),
        ("${EMPTY}", ""),
        # a default, with a colon also for what is set but empty
        ("${UNSET:-edge}", "edge"),
        ("${UNSET-edge}", "edge"),
        ("${UNSET:-}", ""),
        ("${EMPTY:-edge}", "edge"),
        ("${EMPTY-edge}", ""),
        ("${HOST:-edge}", "127.0.0.2"),
        ("redis://${UNSET:-us-east-redis}:6379/0", "redis://us-east-redis:6379/0"),
        ("${UNSET:-a:-b}", "a:-b"),
        # a demand that is met
        ("${HOST:?must be set}", "127.0.0.2"),
        ("${EMPTY?must be set}", ""),
        # a dollar that is meant
        ("$$HOST", "$HOST"),
        ("$$$HOST", "$127.0.0.2"),
        ("costs 5$$", "costs 5$"),
    ],
)
def test_variables_are_filled_in_as_compose_does(text: str, expected: str) -> None:
    assert interpolated(text, VARIABLES) == expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("$UNSET", "UNSET is not set and has no default: write ${UNSET:-default}"),
        ("${UNSET}", "UNSET is not set and has no default: write ${UNSET:-default}"),
        ("${UNSET:?say where}", "say where"),
        ("${UNSET?say where}", "say where"),
        ("${EMPTY:?say where}", "say where"),
        ("${UNSET:?}", "UNSET is not set"),
        # forms that Compose 1.29 does not know either
        ("${HOST:+other}", "begins no variable"),
        ("${UNSET:-${HOST}}", "begins no variable"),
        ("${HOST", "begins no variable"),
        ("${}", "begins no variable"),
        ("$1", "begins no variable"),
        ("ends with $", "begins no variable"),
        ("a\n$", "begins no variable"),
    ],
)
def test_what_cannot_be_filled_in_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(InterpolationError) as refusal:
        interpolated(text, VARIABLES)

    assert complaint in str(refusal.value)
