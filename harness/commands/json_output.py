"""What programs read, on standard output."""

import sys

import msgspec

from harness.units import enc_hook


def print_json(value: object) -> None:
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(value, enc_hook=enc_hook)) + b"\n")
