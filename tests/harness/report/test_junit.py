from xml.etree import ElementTree as ET

import msgspec
import pytest

from harness.record.reader import Run
from harness.report.junit import Unjudged, junit_xml
from harness.verify.verdict import Outcome, Verdicts
from tests.harness.a_run import a_run
from tests.harness.report import some


def suite_of(verdicts: Verdicts, run: Run | None = None) -> ET.Element:
    document = junit_xml(some.summary_of(run or a_run().built(), verdicts))
    root = ET.fromstring(document)  # noqa: S314  # our own document
    assert root.tag == "testsuites"
    (suite,) = root
    return suite


def cases_of(suite: ET.Element) -> dict[str, ET.Element]:
    return {case.get("name", ""): case for case in suite.iter("testcase")}


def test_there_is_one_case_for_each_verdict_and_the_counts_agree() -> None:
    suite = suite_of(some.of_each_kind())

    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "4",
        "failures": "1",
        "errors": "1",
        "skipped": "0",
    }
    cases = cases_of(suite)
    assert set(cases) == {"validity of the run", *(f"slo that is a {outcome.value}" for outcome in Outcome)}


def test_fail_is_a_failure_and_inconclusive_an_error() -> None:
    cases = cases_of(suite_of(some.of_each_kind()))

    failure, error = cases["slo that is a fail"].find("failure"), cases["slo that is a inconclusive"].find("error")
    assert failure is not None
    assert error is not None
    assert failure.get("message") == "The sentence of a fail."
    assert "at most 150 ms" in (failure.text or "")
    assert "at 30.0–40.0 s: look here" in (failure.text or "")
    assert error.get("type") == "inconclusive"
    assert [child.tag for child in cases["slo that is a pass"]] == ["system-out"]


def test_the_run_is_named_in_the_properties() -> None:
    suite = suite_of(some.of_each_kind())

    properties = {item.get("name"): item.get("value") for item in suite.iter("property")}
    assert properties["run_id"] == "2026-11-22T051108Z-synthetic-7f3a"
    assert properties["exit_code"] == "1"
    assert properties["environment.seed"] == "1"


def test_elements_stand_in_the_order_that_the_schema_asks_for() -> None:
    order = ["properties", "testcase", "system-out", "system-err"]
    places = [order.index(child.tag) for child in suite_of(some.of_each_kind())]

    assert places == sorted(places)


@pytest.mark.parametrize(
    ("verdicts", "run", "type_"),
    [
        (some.some_verdicts(some.a_verdict(), clean=False), a_run().built(), "unclean"),
        (some.some_verdicts(some.a_verdict(), stopped=True), some.a_stopped_run(), "stopped"),
        (some.some_verdicts(some.a_verdict(), stopped=True), some.a_stopped_run("error"), "broken"),
    ],
)
def test_a_run_that_did_not_end_well_is_never_green(verdicts: Verdicts, run: Run, type_: str) -> None:
    suite = suite_of(verdicts, run)

    error = cases_of(suite)["the run itself"].find("error")
    assert error is not None
    assert error.get("type") == type_
    assert (suite.get("tests"), suite.get("errors")) == ("3", "1")


def test_a_run_without_verdicts_is_never_green() -> None:
    nothing = msgspec.structs.replace(some.some_verdicts(), verdicts=(), outcome=Outcome.INCONCLUSIVE)

    assert suite_of(nothing).get("errors") == "1"


def test_cases_of_one_name_are_kept_apart() -> None:
    verdict = some.a_verdict(name="slo")

    assert set(cases_of(suite_of(some.some_verdicts(verdict, verdict)))) == {"validity of the run", "slo", "slo (2)"}


@pytest.mark.parametrize("sour", ["\x00", "\x08\x0b\x1f", "\ud800", "\ufffe", "]]>", "<&>\"'"])
def test_what_xml_forbids_does_not_break_the_document(sour: str) -> None:
    verdict = some.a_verdict(Outcome.FAIL, name=f"a{sour}b", sentence=f"c{sour}d")
    (failure,) = suite_of(some.some_verdicts(verdict)).iter("failure")

    assert (failure.get("message") or "").startswith("c")
    assert (failure.get("message") or "").endswith("d")


def test_hostile_words_stay_words() -> None:
    suite = suite_of(some.hostile_verdicts(), some.a_hostile_run())

    assert some.HOSTILE in cases_of(suite)
    assert list(suite.iter("script")) == []


def test_a_failure_tells_what_happened_to_whom() -> None:
    (failure,) = suite_of(some.some_verdicts(some.inconsistent())).iter("failure")

    told = "Somebody did not see what they had just written: Session 1 wrote p1 and did not see it."
    assert told in (failure.text or "")


def test_several_reports_are_one_document_whose_counts_add_up() -> None:
    judged = some.summary_of(a_run().built(), some.of_each_kind())
    broken = Unjudged(experiment="broken", why="it did not start", error=True)
    left_out = Unjudged(experiment="left_out", why="only in containers", error=False)

    root = ET.fromstring(junit_xml(judged, broken, left_out))  # noqa: S314  # our own document

    assert [suite.get("name") for suite in root] == ["synthetic", "broken", "left_out"]
    assert [suite.get("skipped") for suite in root] == ["0", "0", "1"]
    assert {name: root.get(name) for name in ("tests", "failures", "errors")} == {
        "tests": "6",
        "failures": "1",
        "errors": "2",
    }
    assert root.get("time") == root[0].get("time")
