"""What an Authorization header holds is masked to its end, whatever its scheme and however it is
written."""

from __future__ import annotations

import json

import pytest

from vacancy.web.logs import masked

BASIC = "Basic dXNl+3Ix/A=="
DIGEST = 'Digest username="dXNl", realm="a b", response="3Ix"'


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"Authorization: {BASIC}", "Authorization: ***"),
        (f"authorization={BASIC}", "authorization=***"),
        (f"Authorization: {DIGEST}\nHost: x", "Authorization: ***\nHost: x"),
        ("Authorization: Bearer dXNl.3Ix", "Authorization: ***"),
        ("Authorization: dXNl", "Authorization: ***"),
        ("Authorization: \\dXNl", "Authorization: ***"),
        (f"Proxy-Authorization:{BASIC}\r\nHost: x", "Proxy-Authorization:***\r\nHost: x"),
        (f"curl -H 'Authorization: {BASIC}' http://x", "curl -H 'Authorization: ***' http://x"),
        (f"[(b'authorization', b'{BASIC}'), (b'host', b'x')]",
         "[(b'authorization', b'***'), (b'host', b'x')]"),
        (f"(b'authorization', b'{DIGEST}'), 1", "(b'authorization', b'***'), 1"),
        (f'{{"authorization": "{BASIC}", "host": "x"}}', '{"authorization": "***", "host": "x"}'),
        (f'{{"Authorization":["{BASIC}"],"host":"x"}}', '{"Authorization":["***"],"host":"x"}'),
        (json.dumps({"authorization": DIGEST, "n": 1}), '{"authorization": "***", "n": 1}'),
        (json.dumps(json.dumps({"authorization": BASIC, "n": 1})),
         r'"{\"authorization\": \"***\", \"n\": 1}"'),
        (json.dumps(json.dumps({"authorization": DIGEST, "n": 1})),
         r'"{\"authorization\": \"***\", \"n\": 1}"'),
        (f"get(authorization='{BASIC}', n=1)", "get(authorization='***', n=1)"),
        (f"{{'authorization': '{BASIC}", "{'authorization': '***"),
        ("HTTP_AUTHORIZATION: Negotiate dXNl", "HTTP_AUTHORIZATION: ***"),
        ("authorization Basic dXNl is old", "authorization *** is old"),
        ("with bearer dXNl again", "with bearer *** again"),
    ],
)  # fmt: skip
def test_an_authorization_is_masked_to_its_end(text: str, shown: str) -> None:
    assert masked(text) == shown
    assert masked(shown) == shown


def test_what_is_no_secret_stays_as_it_is() -> None:
    text = "GET /v1/things 200 in 3.5 ms, basic, \"quoted\", it's 5 o'clock, C:\\temp\\x"
    assert masked(text) == text


def test_many_backslashes_take_no_time() -> None:
    text = "\\" * 100_000 + "authorization: " + "\\" * 100_000
    assert masked(text).endswith("authorization: ***")
