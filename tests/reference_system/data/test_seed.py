from collections import Counter, defaultdict

import pytest

from reference_system.data import passwords, seed
from reference_system.policies.ranking import score

Tables = dict[str, list[seed.Row]]


@pytest.fixture(scope="module")
def tables() -> Tables:
    return seed.tables(seed=7)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_rows_and_another_seed_others(tables: Tables) -> None:
    assert seed.tables(seed=7) == tables
    assert seed.tables(seed=8) != tables


def test_users_are_spread_over_the_regions_and_number_their_posts_in_their_own(tables: Tables) -> None:
    home = {user[0]: user[4] for user in tables["users"]}

    assert Counter(home.values()) == dict.fromkeys(seed.REGIONS, 750)
    assert all(post[0].rpartition("-")[0] == home[post[1]] for post in tables["posts"])
    assert len({post[0] for post in tables["posts"]}) == 10_000
    counted_in = {post: region for post, region, *_ in tables["engagements"]}
    assert counted_in == {post[0]: home[post[1]] for post in tables["posts"]}


def test_users_follow_about_twenty_others_some_are_popular_and_a_few_famous(tables: Tables) -> None:
    followers = Counter(followee for _, followee in tables["follows"])

    assert len(tables["users"]) == 3000
    assert 19 <= len(tables["follows"]) / 3000 <= 21
    assert all(followers[f"user-{n}"] > 1_900 for n in (1, 2, 3, 4))
    assert all(700 < followers[f"user-{n}"] < 1_000 for n in (5, 6))
    assert 200 < followers.most_common(7)[-1][1] < 600


def test_every_home_timeline_has_ten_posts_with_media_whose_score_order_is_not_time_order(tables: Tables) -> None:
    likes = {post: likes for post, _, likes, _ in tables["engagements"]}
    by_author: defaultdict[int, list[seed.Row]] = defaultdict(list)
    for post in tables["posts"]:
        by_author[post[1]].append(post)
    homes: defaultdict[int, list[seed.Row]] = defaultdict(list)
    for follower, followee in tables["follows"]:
        homes[follower] += by_author[followee]

    for home in homes.values():
        page = sorted(home, key=lambda post: post[5], reverse=True)[:20]
        ranked = sorted(page, key=lambda post: score(post[0], likes[post[0]]), reverse=True)
        assert len(page) >= 10
        assert ranked != page
    with_media = sum(any(post[3] for post in home) for home in homes.values())
    assert with_media / len(homes) > 0.99


def test_seeded_users_can_log_in_with_their_password_only(tables: Tables) -> None:
    stored = tables["users"][6][2]

    assert passwords.matches("password-7", stored)
    assert not passwords.matches("password-8", stored)


def test_sign_ups_get_a_salted_slow_hash() -> None:
    one, other = passwords.scrypt_hash("secret"), passwords.scrypt_hash("secret")

    assert one != other
    assert one.startswith("scrypt$")
    assert passwords.matches("secret", one)
    assert not passwords.matches("Secret", one)
