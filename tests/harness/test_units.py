"""Quantities: read with their unit, refused without, and written so that they read back the very same."""

import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.units import (
    Bytes,
    BytesPerSecond,
    Count,
    Days,
    PerSecond,
    Quantity,
    Ratio,
    Seconds,
    dec_hook,
    enc_hook,
)

KINDS = (Seconds, PerSecond, Ratio, BytesPerSecond, Days, Bytes)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Seconds, "250ms", 0.25),
        (Seconds, "250us", 0.00025),
        (Seconds, "30s", 30.0),
        (Seconds, "5m", 300.0),
        (Seconds, "0.5min", 30.0),
        (Seconds, "1h", 3600.0),
        (Seconds, " 1.5 s ", 1.5),
        (Seconds, ".5s", 0.5),
        (Seconds, "1e3ms", 1.0),
        (Seconds, "0s", 0.0),
        (PerSecond, "40/s", 40.0),
        (PerSecond, "600/min", 10.0),
        (PerSecond, "3600/h", 1.0),
        (Ratio, "0.1%", 0.001),
        (Ratio, "100%", 1.0),
        (BytesPerSecond, "64KB/s", 64_000.0),
        (BytesPerSecond, "2MB/s", 2_000_000.0),
        (Days, "7d", 7.0),
        (Days, "3y", 1095.0),
        (Bytes, "500B", 500.0),
        (Bytes, "1KB", 1024.0),
        (Bytes, "200GB", 200.0 * 1024**3),
        (Bytes, "1PB", 1024.0**5),
        (Count, "200M", 200_000_000.0),
        (Count, "1.5k", 1500.0),
        (Count, "1.001k", 1001.0),
        (Count, "1500", 1500.0),
        (Count, 1500, 1500.0),
        (Count, 2e8, 200_000_000.0),
        (Count, 0, 0.0),
    ],
)
def test_a_number_with_its_unit_is_read_in_the_base_unit(kind: type[Quantity], text: object, value: float) -> None:
    quantity = kind.parse(text)

    assert quantity == pytest.approx(value, rel=1e-12)
    assert type(quantity) is kind


@pytest.mark.parametrize(
    ("kind", "text", "sentence"),
    [
        (Seconds, "30", '"30" has no unit: write "30s"'),
        (Seconds, 30, '30 has no unit: write "30s"'),
        (PerSecond, 40, 'write "40/s"'),
        (Ratio, 0.1, 'write "0.1%"'),
        (Seconds, "30 parsecs", '"parsecs" is not a unit of a duration (known: us, ms, s, m, min, h)'),
        (Seconds, "30S", '"S" is not a unit'),
        (Seconds, "40/s", '"/s" is not a unit of a duration'),
        (PerSecond, "40s", '"s" is not a unit of a rate'),
        (Seconds, "", "is not a duration"),
        (Seconds, "s", "is not a duration"),
        (Seconds, "1:30", '":30" is not a unit'),
        (Seconds, "1,5s", "is not a"),
        (Seconds, "nan s", "is not a duration"),
        (Seconds, "-5s", "must be finite and not negative"),
        (Seconds, "1e999s", "must be finite and not negative"),
        (Seconds, None, "has no unit"),
        (Seconds, True, "has no unit"),
        (Days, "3 years", '"years" is not a unit of a number of days (known: d, y)'),
        (Days, 7, '7 has no unit: write "7d"'),
        (Bytes, "200GiB", '"GiB" is not a unit of a size (known: B, KB, MB, GB, TB, PB)'),
        (Bytes, 500, '500 has no unit: write "500B"'),
        (Count, "200 million", '"million" is not a unit of a count (known: k, M, G)'),
        (Count, "200_000", "is not a unit of a count"),
        (Count, 1.5, '"1.5" is not a whole number'),
        (Count, "M", '"M" is not a count'),
        (Count, -1, '"-1" must be finite and not negative'),
        (Count, True, 'True is not a count: write it like 1500 or "200M"'),
        (Count, None, "None is not a count"),
        (Count, math.nan, '"nan" is not a count'),
        (Count, math.inf, '"inf" is not a count'),
    ],
)
def test_what_is_no_quantity_is_refused_with_what_to_write(kind: type[Quantity], text: object, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the sentence is compared below, without a pattern
        kind.parse(text)

    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("quantity", "text"),
    [
        (Seconds(0.25), "250ms"),
        (Seconds(90.0), "90s"),
        (Seconds(0.0), "0s"),
        (PerSecond(40.0), "40/s"),
        (Ratio(0.001), "0.1%"),
        (BytesPerSecond(64_000.0), "64000B/s"),
        (Days(7.0), "7d"),
        (Days(1095.0), "3y"),
        (Days(0.5), "0.5d"),
        (Bytes(1000.0), "1000B"),
        (Bytes(200.0 * 1024**3), "200GB"),
        (Count(200_000_000.0), "200M"),
        (Count(1_500_000.0), "1500k"),
        (Count(20.0), "20"),
        (Count(0.0), "0"),
    ],
)
def test_a_quantity_is_written_as_a_person_would(quantity: Quantity, text: str) -> None:
    assert str(quantity) == text


@pytest.mark.slow
@settings(deadline=None, max_examples=500)
@given(kind=st.sampled_from(KINDS), number=st.floats(0.0, 1e9), digits=st.integers(1, 17), data=st.data())
def test_what_was_read_is_written_so_that_it_reads_back_the_very_same(
    kind: type[Quantity], number: float, digits: int, data: st.DataObject
) -> None:
    unit = data.draw(st.sampled_from(sorted(kind.units)))

    quantity = kind.parse(f"{number:.{digits}g}{unit}")

    assert kind.parse(str(quantity)) == quantity


@settings(deadline=None)
@given(number=st.integers(0, 10**12))
def test_a_count_reads_back_as_it_was_written(number: int) -> None:
    assert Count.parse(str(Count(number))) == Count(number)


def test_msgspec_reads_and_writes_quantities_inside_other_types() -> None:
    class Limits(msgspec.Struct):
        wait: Seconds
        share: Ratio | None = None

    limits = Limits(wait=Seconds(0.1), share=Ratio(0.05))
    data = msgspec.json.encode(limits, enc_hook=enc_hook)

    assert data == b'{"wait":"100ms","share":"5%"}'
    assert msgspec.json.decode(data, type=Limits, dec_hook=dec_hook) == limits
    with pytest.raises(msgspec.ValidationError, match=r"has no unit.*\$\.wait"):
        msgspec.json.decode(b'{"wait": 3}', type=Limits, dec_hook=dec_hook)


def test_other_types_have_no_reader_and_no_writer() -> None:
    with pytest.raises(NotImplementedError):
        dec_hook(complex, 1)
    with pytest.raises(NotImplementedError):
        enc_hook(1j)


def test_quantities_calculate_as_plain_numbers() -> None:
    assert math.isclose(Seconds(1.5) + Seconds(0.5), 2.0)
    assert PerSecond(10.0) * Seconds(2.0) == 20.0
