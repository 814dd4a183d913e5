"""verdicts.json: the verdicts as they are, for machines."""

import msgspec

from harness.verify.verdict import Verdicts


def verdicts_json(verdicts: Verdicts) -> bytes:
    """Indented JSON that reads back as the very same verdicts."""
    return msgspec.json.format(msgspec.json.encode(verdicts), indent=2) + b"\n"
