"""The JSON Schema for editors says what the types say."""

import re

from harness.loading.schema import SCHEMA_FILE, json_schema, schema_text


def test_the_checked_in_schema_is_current() -> None:
    assert SCHEMA_FILE.read_text() == schema_text(), "run: python -m harness.loading.schema"


def test_the_schema_knows_each_kind_and_refuses_other_keys() -> None:
    schema = json_schema()

    definitions = schema["$defs"]
    assert definitions["LatencyFault"]["properties"]["kind"] == {"const": "latency"}
    assert all(each["additionalProperties"] is False for each in definitions.values())
    assert definitions["Load"]["properties"]["deadline"]["default"] == "8s"
    patterns = [each["pattern"] for each in definitions["Load"]["properties"]["rate"]["anyOf"]]
    assert any(re.search(pattern, "40/s") for pattern in patterns)
    assert any(re.search(pattern, "${rate}") for pattern in patterns)
    assert not any(re.search(pattern, "40") for pattern in patterns)
