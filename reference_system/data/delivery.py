"""One post on its way to its followers: who is left, whom Redis refused, how often it was tried. Pure; does no I/O."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from reference_system.data import pulled
from reference_system.data.events import forget_notifications
from reference_system.data.posts import Post
from reference_system.data.resp import Command, RedisReplyError, Reply
from reference_system.data.timelines import Kind, keep_tweets, push_to_many, pushes, refused_of
from reference_system.policies.fan_out import How

_MENTION = re.compile(r"@([\w-]+)")


@dataclass(frozen=True, slots=True)
class Turn:
    """A part of the work that is done in one go; the last command is the push to `readers`."""

    readers: Sequence[str]
    commands: Sequence[Command]


@dataclass(slots=True, kw_only=True)
class Delivery:
    """`readers` are those whose lists are still to be pushed to, the author first."""

    post: Post
    queued_at_s: float  # Unix seconds
    followers: int
    how: How
    readers: list[str]
    announced: bool = False
    refused: dict[str, str] = field(default_factory=dict)  # reader → why
    tried: int = 0  # in vain
    not_before_s: float = 0.0

    @property
    def is_over(self) -> bool:
        """This try, whether or not it was in vain."""
        return not self.readers

    def next_turn(self, *, most: int, now_s: float) -> Turn:
        """What to do now: first all that is done once, then so many of the readers."""
        readers = self.readers[:most]
        commands: list[Command] = [] if self.announced else _announcement(self.post)
        if self.how is How.PULL:
            commands.append(pulled.pull(self.post, now_s=now_s))
        return Turn(readers, [*commands, push_to_many(readers, self.post)])

    def took(self, turn: Turn, replies: Sequence[Reply]) -> None:
        """The turn was done, with these replies to its commands. Who pulls needs no push."""
        self.readers = [] if self.how is How.PULL else self.readers[len(turn.readers) :]
        *once, push = replies
        errors = [str(reply) for reply in once if isinstance(reply, RedisReplyError)]
        self.announced = not errors
        if errors:
            self.refused[self.post.author] = errors[0]
        refused_all = isinstance(push, RedisReplyError)
        self.refused.update(dict.fromkeys(turn.readers, str(push)) if refused_all else refused_of(push))

    def try_again(self, *, not_before_s: float) -> None:
        """With those that were refused."""
        self.readers, self.refused, self.not_before_s = list(self.refused), {}, not_before_s


def mentioned_in(post: Post) -> list[str]:
    return sorted(set(_MENTION.findall(post.text)))


def _announcement(post: Post) -> list[Command]:
    """What is done for a post whoever follows its author; nobody else does, where it comes from another region."""
    outdated: list[Command] = [command for user in mentioned_in(post) for command in forget_notifications(user)]
    return [keep_tweets([post]), *pushes(Kind.PROFILE, post.author, post), *outdated]
