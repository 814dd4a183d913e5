from reference_system.data.lifetimes import SPREAD, ttl_ms
from reference_system.data.posts import Post
from reference_system.data.timelines import TWEET_TTL_S, keep_tweets, tweet_key


def test_posts_that_are_stored_together_do_not_end_together() -> None:
    ids = [f"us-east-{n}" for n in range(20)]
    _, _, count, *words = keep_tweets(Post(id, "ann", "", 1.0, 0) for id in ids)
    keys, lives_ms = words[:20], words[20::2]

    assert (count, keys) == (20, [*map(tweet_key, ids)])
    assert lives_ms == [ttl_ms(key, TWEET_TTL_S) for key in map(tweet_key, ids)]
    assert len(set(lives_ms)) == 20
    assert min(map(int, lives_ms)) >= 1000 * TWEET_TTL_S * (1 - SPREAD)
