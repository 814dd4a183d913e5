"""The order of a ranked home timeline.

A stand-in for a learned model: engagement plus a "predicted quality" drawn from the post's id, so that the order
differs visibly from time order even among fresh posts that nobody has liked yet. Which posts are shown is not decided
here: ranking only orders the newest ones, so no post appears or vanishes when ranking is turned off.
"""

import math
from zlib import crc32

QUALITY_WEIGHT = 2.0  # as much as a factor of 100 in likes


def score(post_id: str, likes: int) -> float:
    return math.log10(1 + likes) + QUALITY_WEIGHT * crc32(post_id.encode()) / 2**32
