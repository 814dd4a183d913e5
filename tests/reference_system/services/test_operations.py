import pytest

from reference_system.policies.load_shedding import priority_of
from reference_system.services.operations import A_PATH, WRITES, Operation, operation_of, subject_of


@pytest.mark.parametrize(
    ("method", "path", "operation", "priority"),
    [
        ("POST", "/tweets/create", Operation.POST, 1),
        ("DELETE", "/tweets/us-east-7", Operation.DELETE, 3),
        ("POST", "/tweets/us-east-7/like", Operation.LIKE, 3),
        ("POST", "/tweets/us-east-7/retweet", Operation.RETWEET, 3),
        ("PUT", "/users/user-7/follow", Operation.FOLLOW, 3),
        ("DELETE", "/users/user-7/follow", Operation.UNFOLLOW, 3),
        ("PUT", "/users/user-7/profile", Operation.EDIT_PROFILE, 2),
        ("GET", "/users/user-7/profile", Operation.PROFILE, 2),
        ("GET", "/users/user-7/posts", Operation.POSTS, 3),
        ("GET", "/users//posts", Operation.UNKNOWN, 3),
        ("GET", "/users/user-7/posts/", Operation.UNKNOWN, 3),
        ("GET", "/users/a/b/posts", Operation.UNKNOWN, 3),
        ("GET", "/users", Operation.UNKNOWN, 3),
        ("GET", "/tweets/us-east-7", Operation.UNKNOWN, 3),
        ("PUT", "/tweets/us-east-7/like", Operation.UNKNOWN, 3),
        ("GET", "", Operation.UNKNOWN, 3),
    ],
)
def test_a_route_is_an_operation_with_a_priority(method: str, path: str, operation: Operation, priority: int) -> None:
    assert (operation_of(method, path), priority_of(path)) == (operation, priority)


def test_every_operation_has_a_path_that_is_its_own() -> None:
    assert set(A_PATH) == set(Operation) - {Operation.UNKNOWN}
    methods = ("GET", "POST", "PUT", "DELETE")
    assert all(operation in {operation_of(method, path) for method in methods} for operation, path in A_PATH.items())


def test_the_subject_is_the_id_in_the_path() -> None:
    assert subject_of("/tweets/us-east-7/like") == "us-east-7"


def test_nothing_that_is_got_is_a_write() -> None:
    got = {operation_of("GET", path) for path in ("/timeline/home", "/users/a/posts", "/users/a/profile", "/realtime")}

    assert not got & set(WRITES)
