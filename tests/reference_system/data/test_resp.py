import pytest

from reference_system.data.resp import RedisRefusedError, RedisReplyError, ReplyParser, encoded

REPLIES = b"+OK\r\n:42\r\n$5\r\nhello\r\n$-1\r\n*3\r\n$1\r\na\r\n$-1\r\n*1\r\n:7\r\n*0\r\n$0\r\n\r\n"
PARSED = [b"OK", 42, b"hello", None, [b"a", None, [7]], [], b""]


def test_commands_are_arrays_of_bulk_strings_with_byte_lengths() -> None:
    assert encoded((("SET", "ключ", 7),)) == "*3\r\n$3\r\nSET\r\n$8\r\nключ\r\n$1\r\n7\r\n".encode()


def test_no_bytes_no_replies() -> None:
    assert ReplyParser().feed(b"") == []


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 1000])
def test_replies_are_the_same_however_the_bytes_are_cut(chunk: int) -> None:
    parser, replies = ReplyParser(), []
    for start in range(0, len(REPLIES), chunk):
        replies += parser.feed(REPLIES[start : start + chunk])

    assert replies == PARSED


def test_an_error_reply_keeps_its_text_and_the_stream_goes_on() -> None:
    error, after = ReplyParser().feed(b"-LOADING not yet\r\n+OK\r\n")

    assert isinstance(error, RedisReplyError)
    assert str(error) == "LOADING not yet"
    assert after == b"OK"


@pytest.mark.parametrize(
    ("line", "alone"),
    [
        (b"WRONGTYPE Operation against a key holding the wrong kind of value", True),
        (b"ERR Error running script (call to f_6b1): @user_script:2: WRONGTYPE", True),
        (b"LOADING Redis is loading the dataset in memory", False),
        (b"ERR max number of clients reached", False),
        (b"OOM command not allowed when used memory > 'maxmemory'", False),
    ],
)
def test_an_error_says_whether_it_is_about_one_command_alone(line: bytes, alone: bool) -> None:
    (error,) = ReplyParser().feed(b"-%b\r\n" % line)

    assert isinstance(error, RedisRefusedError) is alone
