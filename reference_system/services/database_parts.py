"""What of a database a planted defect may replace. Imports nothing: the launcher has to be quick."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseParts:
    """`settings` of the server beside those that it has anyway, and over them."""

    settings: Mapping[str, str] = field(default_factory=dict)
