"""Prometheus text is read as its own reader reads it, only faster."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from harness.observe.exposition import canonical_labels, parse


@pytest.mark.parametrize(
    ("text", "samples"),
    [
        ("", []),
        ("# HELP x\n# TYPE x counter\n\n   \n", []),
        ("up 1", [("up", "", 1.0)]),
        ("up{} 1\n", [("up", "", 1.0)]),
        ('x{b="2",a="1"} 3', [("x", 'a="1",b="2"', 3.0)]),
        ('x{ b = "2" , a="1", } 3', [("x", 'a="1",b="2"', 3.0)]),
        ('x{le="+Inf"} +Inf', [("x", 'le="+Inf"', math.inf)]),
        ('x{a="}{ \\" \\\\ #"} 1e3 1700000000000', [("x", 'a="}{ \\" \\\\ #"', 1000.0)]),
        ("x_created 1\nx_total 2", [("x_total", "", 2.0)]),
        ("a:b_c 0\r", [("a:b_c", "", 0.0)]),
    ],
)
def test_samples_have_sorted_labels_and_their_value(text: str, samples: list[tuple[str, str, float]]) -> None:
    assert parse(text) == samples


def test_not_a_number_is_a_value() -> None:
    assert math.isnan(parse("x NaN")[0][2])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("<html>", "line 1 is not a sample"),
        ("up 1\nup", "line 2 is not a sample"),
        ("up one", "line 1 has no number: 'one'"),
        ('x{a="1} 1', "line 1 is not a sample"),
        ("x{a=1} 1", "these are not labels"),
        ('x{a="1" b="2"} 1', "these are not labels"),
        ('x{a="1",a="2"} 1', "these are not labels"),
        ("9x 1", "line 1 is not a sample"),
    ],
)
def test_what_is_no_exposition_is_refused_with_its_line(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        parse(text)


def test_the_families_to_keep_may_be_chosen() -> None:
    assert parse("a 1\nb 2", keep=lambda metric: metric == "b") == [("b", "", 2.0)]


@pytest.mark.slow
@settings(deadline=None, max_examples=50)
@given(values=st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8), st.floats(-1e9, 1e9)), max_size=5))
def test_it_agrees_with_the_reference_reader(values: list[tuple[str, str, float]]) -> None:
    registry = CollectorRegistry()
    gauge = Gauge("g", "A gauge\nin two lines", ["z", "a"], registry=registry)
    counter = Counter("c", "A counter", ["z"], registry=registry)
    histogram = Histogram("h", "A histogram", registry=registry)
    for first, second, value in values:
        gauge.labels(first, second).set(value)
        counter.labels(first).inc()
        histogram.observe(value)
    text = generate_latest(registry).decode()

    expected = {
        (sample.name, _escaped(sample.labels)): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_created")
    }

    assert {(metric, labels): value for metric, labels, value in parse(text)} == expected


def _escaped(labels: dict[str, str]) -> str:
    escapes = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
    return ",".join(f'{name}="{labels[name].translate(escapes)}"' for name in sorted(labels))


def test_labels_without_any_are_empty() -> None:
    assert canonical_labels("") == ""
