from reference_system.data.lifetimes import SPREAD, ttl_ms
from reference_system.data.posts import Post
from reference_system.data.timelines import KEEP, TWEET_TTL_S, Kind, keep_tweets, push_to_many, pushes, tweet_key


def test_posts_that_are_stored_together_do_not_end_together() -> None:
    ids = [f"us-east-{n}" for n in range(20)]
    _, _, count, *words = keep_tweets(Post(id, "ann", "", 1.0, 0, 0) for id in ids)
    keys, lives_ms = words[:20], words[20::2]

    assert (count, keys) == (20, [*map(tweet_key, ids)])
    assert lives_ms == [ttl_ms(key, TWEET_TTL_S) for key in map(tweet_key, ids)]
    assert len(set(lives_ms)) == 20
    assert min(map(int, lives_ms)) >= 1000 * TWEET_TTL_S * (1 - SPREAD)


def test_a_post_is_put_where_its_time_is_and_not_where_others_came_before_it() -> None:
    """What Redis makes of it is tested against Redis (e2e/test_timelines.py)."""
    late = Post("europe-1", "ann", "", 1795579811.909921, 0, 0)
    (to_one,) = (command for command in pushes(Kind.HOME, "bob", late) if command[0] == "EVAL")
    to_many = push_to_many(["bob", "cid"], late)

    assert to_one[3:] == ("home_tl:bob", 1_795_579_811_909_921, "europe-1", KEEP)
    assert to_many[5:] == (1_795_579_811_909_921, "europe-1", "ann", "bob", "cid")
    assert all("'ZADD'" in str(command[1]) for command in (to_one, to_many))
