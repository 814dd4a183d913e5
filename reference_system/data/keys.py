"""Names of what Redis and the disk hold of a user besides timelines: all begin alike, so that all can be found."""


def user_prefix(user: str) -> str:
    return f"user:{user}:"


def version_key(user: str) -> str:
    """Of the user's data; a change makes it another version, so no copy of an earlier one is looked at again."""
    return f"{user_prefix(user)}version"


def data_key(user: str, version: str) -> str:
    return f"{user_prefix(user)}data:{version}"


def filters_key(viewer: str) -> str:
    return f"{user_prefix(viewer)}filters"


def notifications_key(user: str) -> str:
    return f"{user_prefix(user)}notifications"


def suggestions_key(user: str) -> str:
    return f"{user_prefix(user)}suggestions"


def search_key(word: str) -> str:
    return f"search:{word}"


TRENDS_KEY = "trends"
