"""Where there is no engine these tests are left out, and say so; where there has to be one, that is a failure."""

import os

import pytest

from tests.e2e.docker.system import why_not


@pytest.fixture(scope="session", autouse=True)
def an_engine() -> None:
    reason = why_not()
    if reason and os.environ.get("GAMEDAY_REQUIRE_DOCKER"):
        pytest.fail(f"Docker is required here: {reason}")
    if reason:
        pytest.skip(f"NOT TESTED WITH DOCKER: {reason}")
