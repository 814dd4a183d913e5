"""A session is one logical process: never two requests at a time, and none after a write that may still happen."""

from harness.load.sessions import Sessions


def sessions(home: str = "europe") -> Sessions:
    return Sessions(lambda user: home, first_number=1, number_step=3)


def test_a_user_goes_on_in_the_session_that_ended_its_request() -> None:
    known = sessions()
    first = known.begin(7)
    known.end(first, retire=False)

    assert known.begin(7) is first
    assert first.region == "europe"


def test_two_requests_at_a_time_are_two_sessions() -> None:
    known = sessions()

    one, other = known.begin(7), known.begin(7)

    assert (one.number, other.number) == (1, 4), "numbers of different shards never meet"


def test_after_an_unknown_write_the_user_is_somebody_new() -> None:
    known = sessions()
    first = known.begin(7)
    first.carry({"X-Read-After": "us-east:1"})
    known.end(first, retire=True)

    second = known.begin(7)

    assert second is not first
    assert second.carried == {}


def test_a_stranger_is_always_somebody_new() -> None:
    known = sessions()
    first = known.begin(7)
    known.end(first, retire=False)

    assert known.begin(7, fresh=True) is not first
    assert known.begin(7) is first


def test_users_do_not_share_sessions() -> None:
    known = sessions()
    known.end(known.begin(7), retire=False)

    assert known.begin(8).user == 8
