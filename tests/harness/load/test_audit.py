"""The final reads cover every object in every region, and then go round again."""

from harness.load.audit import Audit


def test_nothing_written_leaves_nothing_to_read() -> None:
    assert Audit(("us-east", "europe")).next() is None


def test_every_object_is_read_in_every_region_before_any_is_read_again() -> None:
    audit = Audit(("us-east", "europe"))
    for author in ("ann", "bob", "ann"):
        audit.wrote_to(author)

    handed = [audit.next() for _ in range(5)]

    assert handed == [("ann", "us-east"), ("ann", "europe"), ("bob", "us-east"), ("bob", "europe"), ("ann", "us-east")]


def test_what_is_written_meanwhile_comes_too() -> None:
    audit = Audit(())
    audit.wrote_to("ann")
    assert audit.next() == ("ann", "")

    audit.wrote_to("bob")

    assert audit.next() == ("bob", "")
