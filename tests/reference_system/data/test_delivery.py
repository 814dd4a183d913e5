import pytest

from reference_system.data.delivery import Delivery, mentioned_in
from reference_system.data.posts import Post
from reference_system.data.resp import Command, RedisReplyError
from reference_system.policies.fan_out import How

POST = Post("us-east-1", "ann", "hello @bob and @bob", 5.0, 0, 0)


def _delivery(*readers: str, how: How = How.PUSH) -> Delivery:
    return Delivery(post=POST, queued_at_s=0.0, followers=len(readers), how=how, readers=["ann", *readers])


def _does(commands: list[Command], *words: str) -> bool:
    return any(all(word in " ".join(map(str, command)) for word in words) for command in commands)


def _take_turns(delivery: Delivery, *, most: int) -> list[list[str]]:
    turns = []
    while not delivery.is_over:
        turn = delivery.next_turn(most=most, now_s=0.0)
        delivery.took(turn, [1] * (len(turn.commands) - 1) + [[]])
        turns.append([*turn.readers])
    return turns


def test_readers_are_served_in_turns_the_author_first() -> None:
    assert _take_turns(_delivery("bob", "cid", "dan"), most=2) == [["ann", "bob"], ["cid", "dan"]]


def test_what_is_done_once_is_done_in_the_first_turn_only() -> None:
    delivery = _delivery("bob", "cid")
    first = delivery.next_turn(most=1, now_s=0.0)
    delivery.took(first, [1] * (len(first.commands) - 1) + [[]])
    second = delivery.next_turn(most=1, now_s=0.0)

    assert _does([*first.commands], "DEL user:bob:notifications")
    assert _does([*first.commands], "profile_tl:ann")
    assert len(second.commands) == 1


def test_who_pulls_is_not_pushed_to() -> None:
    delivery = _delivery("bob", "cid", "dan", how=How.PULL)
    (turn,) = [delivery.next_turn(most=1, now_s=7.0)]
    delivery.took(turn, [1] * (len(turn.commands) - 1) + [[]])

    assert [*turn.readers] == ["ann"]
    assert _does([*turn.commands], "celebrity_tl", "us-east-1", "5.0", "7.0")
    assert delivery.is_over


def test_a_turn_that_was_not_answered_is_the_next_one_again() -> None:
    delivery = _delivery("bob")

    assert delivery.next_turn(most=1, now_s=0.0) == delivery.next_turn(most=1, now_s=0.0)


def test_only_those_who_were_refused_are_tried_again() -> None:
    delivery = _delivery("bob", "cid")
    turn = delivery.next_turn(most=9, now_s=0.0)
    delivery.took(turn, [1] * (len(turn.commands) - 1) + [[b"cid", b"WRONGTYPE"]])
    refused = dict(delivery.refused)
    delivery.try_again(not_before_s=3.0)

    assert refused == {"cid": "WRONGTYPE"}
    assert (delivery.readers, delivery.refused, delivery.not_before_s) == (["cid"], {}, 3.0)


def test_a_command_that_fails_is_done_again_with_all_that_is_done_once() -> None:
    delivery = _delivery()
    turn = delivery.next_turn(most=9, now_s=0.0)
    delivery.took(turn, [RedisReplyError("WRONGTYPE"), *[1] * (len(turn.commands) - 2), []])
    delivery.try_again(not_before_s=0.0)

    assert len(delivery.next_turn(most=9, now_s=0.0).commands) == len(turn.commands)


@pytest.mark.parametrize(
    ("first", "push", "again"),
    [
        (1, RedisReplyError("ERR Error running script"), ["ann", "bob"]),
        (RedisReplyError("WRONGTYPE"), [b"bob", b"WRONGTYPE"], ["ann", "bob"]),
        (RedisReplyError("WRONGTYPE"), [], ["ann"]),
    ],
)
def test_nobody_whose_list_lacks_the_post_is_left_out_of_the_next_try(
    first: object, push: object, again: list[str]
) -> None:
    delivery = _delivery("bob", "cid")
    turn = delivery.next_turn(most=2, now_s=0.0)
    delivery.took(turn, [first, *[1] * (len(turn.commands) - 2), push])
    rest = delivery.next_turn(most=2, now_s=0.0)
    delivery.took(rest, [*[1] * (len(rest.commands) - 1), []])
    delivery.try_again(not_before_s=0.0)

    assert delivery.readers == again


def test_a_name_that_is_mentioned_twice_is_told_once() -> None:
    assert mentioned_in(POST) == ["bob"]
