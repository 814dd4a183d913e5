"""Which users are in a share of all users: those whose hash is below it, so the same ones on every edge.

nginx decides the same way, and it is nginx that splits real traffic: the function is that of its `split_clients` with
the user's id (as UTF-8) as the key and the share as the first part,

    split_clients $user $europe_takes { 10% home; * elsewhere; }

where nginx compares MurmurHash2 (32 bits, seed 0) with 10.00 % of 0xffffffff. nginx refuses 0 %: that part is then left
out. The split depends on the user alone, so a growing share keeps everybody it had. The empty id has the hash 0 and is
in every share: an edge that does not know the user should use another key that stays the same.
"""

HASHES = 0xFFFFFFFF
HUNDREDTHS_OF_A_PERCENT = 10_000  # nginx reads a percentage with two digits after the point
MULTIPLIER = 0x5BD1E995  # of MurmurHash2, as is the shift by 24


def in_share(user: str, share: float) -> bool:
    if share >= 1.0:
        return True  # nginx: "*"; its "100%" would leave out the one hash that equals the limit
    return murmur_hash_2(user.encode()) < round(share * HUNDREDTHS_OF_A_PERCENT) * HASHES // HUNDREDTHS_OF_A_PERCENT


def murmur_hash_2(data: bytes) -> int:
    value = len(data) & HASHES
    whole = len(data) - len(data) % 4
    for start in range(0, whole, 4):
        value = _times(value) ^ _mixed(int.from_bytes(data[start : start + 4], "little"))
    if whole < len(data):
        value = _times(value ^ int.from_bytes(data[whole:], "little"))
    value = _times(value ^ (value >> 13))
    return value ^ (value >> 15)


def _mixed(four_bytes: int) -> int:
    product = _times(four_bytes)
    return _times(product ^ (product >> 24))


def _times(value: int) -> int:
    return (value * MULTIPLIER) & HASHES
