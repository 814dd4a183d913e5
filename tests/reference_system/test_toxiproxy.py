"""The launcher of Toxiproxy: which links it is given."""

import pytest

from reference_system.services.binaries import LauncherError
from reference_system.services.toxiproxy import proxies


def test_each_line_is_a_link() -> None:
    links = "\n  edge->gateway  0.0.0.0:21001 gateway:21080\n\napi->redis 0.0.0.0:21002   redis:21379\n"

    assert proxies(links) == [
        {"name": "edge->gateway", "listen": "0.0.0.0:21001", "upstream": "gateway:21080", "enabled": True},
        {"name": "api->redis", "listen": "0.0.0.0:21002", "upstream": "redis:21379", "enabled": True},
    ]


def test_no_links_are_no_links() -> None:
    assert proxies("") == []


def test_a_line_that_is_no_link_is_told() -> None:
    with pytest.raises(LauncherError, match=r'"api->redis 0\.0\.0\.0:21002" is not "name listen upstream"'):
        proxies("api->redis 0.0.0.0:21002")
