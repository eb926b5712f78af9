"""Every kind of secret leaves texts, however it is written there; ordinary words stay; long texts take no longer."""

from __future__ import annotations

import base64
import html
import json
import shlex
import time
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from rows import Row

from bench import redact as redaction
from bench.redact import KINDS, redact

pytestmark = pytest.mark.fault(Row.SECRETS)
JWT = ".".join(
    base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (b'{"alg":"HS256"}', b'{"sub":"12"}', b"sig")
)
BY_FORM = {
    "credentials in an address": [
        ("postgres://app:hunter22@db/x", "postgres://[secret]@db/x"),
        ("redis://:p%40ss@h:6379/0 down", "redis://[secret]@h:6379/0 down"),
        ("https://ghtoken@github.com/a/b", "https://[secret]@github.com/a/b"),
        (r'{"url": "https:\/\/me:pw@h\/x"}', r'{"url": "https:\/\/[secret]@h\/x"}'),
        ("?next=https%3A%2F%2Fme%3Apw%40h", "?next=https%3A%2F%2F[secret]%40h"),
    ],
    "a parameter of an address": [
        ("https://h/x?api_key=abc&b=1", "https://h/x?api_key=[secret]&b=1"),
        ("https://h/x?b=1&sig=a%2Fb", "https://h/x?b=1&sig=[secret]"),
        ("https://h/x?X-Amz-Security-Token=abc", "https://h/x?X-Amz-Security-Token=[secret]"),
    ],
    "the address of a webhook": [
        ("to https://hooks.slack.com/services/T0/B0/xyz failed", "to https://hooks.slack.com/[secret] failed"),
        ("https://discord.com/api/webhooks/123/abc-DEF_g", "https://discord.com/api/webhooks/[secret]"),
        ("https://x.webhook.office.com/webhookb2/0a1b@c/y", "https://x.webhook.office.com/[secret]"),
        ("https://api.telegram.org/bot12:AbC-d/sendMessage", "https://api.telegram.org/bot[secret]/sendMessage"),
    ],
    "a header": [
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic [secret]"),
        ("{'authorization': 'Token 0123456789abcdef'}", "{'authorization': 'Token [secret]'}"),
        ("x-api-key: a1b2c3d4", "x-api-key: [secret]"),
        ('"Proxy-Authorization": "a1b2c3d4"', '"Proxy-Authorization": "[secret]"'),
        ("Cookie: sid=abc; theme=dark\nHost: h", "Cookie: [secret]\nHost: h"),
        ("{'Set-Cookie': 'sid=abc; Path=/', 'a': 1}", "{'Set-Cookie': '[secret]', 'a': 1}"),
    ],
    "a setting by its name": [
        ("Server=h;Database=d;User Id=u;Password=wordword;", "Server=h;Database=d;User Id=u;Password=[secret];"),
        ("host=h user=u password=wordword dbname=d", "host=h user=u password=[secret] dbname=d"),
        ("AccountName=n;AccountKey=a+b/c==;EndpointSuffix=s", "AccountName=n;AccountKey=[secret];EndpointSuffix=s"),
        ("Endpoint=sb://h/;SharedAccessKey=a1b2c3==", "Endpoint=sb://h/;SharedAccessKey=[secret]"),
        ('{"client_secret": "wordword", "a": 1}', '{"client_secret": "[secret]", "a": 1}'),
        ("OpenAI(api_key='abc', timeout=3)", "OpenAI(api_key='[secret]', timeout=3)"),
        ("mysql --password hunter -h x", "mysql --password [secret] -h x"),
        ("password: hunter22", "password: [secret]"),
    ],
    "a token by its form": [
        (f"it is {JWT}!", "it is [secret]!"),
        ("ghp_0123456789abcdefABCD", "[secret]"),
        ("glpat-0123456789abcdefABCD", "[secret]"),
        ("xoxb-012345-abcdef", "[secret]"),
        ("AKIAIOSFODNN7EXAMPLE", "[secret]"),
        ("'\\nhf_AbCdEfGhIjKlMnOpQr'", "'\\n[secret]'"),
        ("key%3Dsk-A1b2C3d4E5f6G7h8I9j0K1", "key%3D[secret]"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEab+/\n-----END RSA PRIVATE KEY-----", None),
    ],
}
HARMLESS = [
    "no password: it is required; password=None, token = tokenizer.pad_token, pad_token='[PAD]', eos_token='</s>'",
    "self.client = OpenAI(api_key=api_key, password=self.password)",
    "KeyError: 'text'; the key is 7, key=1, tokens: 100000, max_tokens=256, secrets of the trade",
    "bearer of news, basic classification, a cookie: a small biscuit, Authorization is required",
    "hf://datasets/a/b@0123/x.csv, hf_model, a@b.c, sk-learn-contrib-imbalanced-learn, ask-a-question-of-anybody-1",
    "https://huggingface.co/docs/hub/webhooks and https://h/x?tokenizer_name&a=b, C:\\keys\\new",
]
NAMES = {  # what a variable of this name is worth hiding
    "MYSQL_PWD": "hunter22", "GITLAB_PAT": "a1b2c3d4e5", "AUTHORIZATION": "c2l4LXR3bw",
    "PROXY_AUTH": "me:word12",
    "SITE_COOKIE": "sid=0a1b2c", "MY_JWT": "header.payload.sign", "SLACK_WEBHOOK": "https://h.example/T0/B0/x1",
    "SLACK_WEBHOOK_URL": "https://h.example/T0/B0/x1", "AZURE_STORAGE_CONNECTION_STRING": "A=b;C=d1",
    "SENTRY_DSN": "https://h.example/x1", "BANK_TOKEN": "123456789", "PIN_PASS": "987654", "APIKEY": "letters",
    "PGPASSWORD": "letters", "OPENAI_API_KEY": "my-local-key", "DB_PASSWORD": "wordword",
    "HF_TOKEN": "qwertyuiopasdfghjklzxcv",
}  # fmt: skip
SETTINGS = {
    "C_KEY": "accuracy", "SORT_KEY": "text-classification", "PAD_TOKEN": "[PAD]", "EOS_TOKEN": "<|endoftext|>",
    "TOKENIZERS_PARALLELISM": "false", "TOKENIZER": "whitespace1", "MAX_TOKENS": "100000", "KEY_LENGTH": "1000000",
    "TOKEN_RATE": "0.123456", "SSH_AUTH_SOCK": "/tmp/ssh-gone/agent", "PWD": "/gone/for-good1",
    "OLDPWD": "/gone/for-good1",
    "SHORT_PASSWORD": "abc", "HTTP_AUTH": "kerberos", "COMPASS": "north1234",
}  # fmt: skip
ODD = "p@ss \"w\\rd'/é&1"


@pytest.mark.parametrize("kind", KINDS)
def test_secrets_are_known_by_their_form(kind: str) -> None:
    for text, shown in BY_FORM[kind]:
        found = redact(text)
        assert "[secret]" in found
        assert found == shown or shown is None
        assert redact(found) == found
        assert "MIIE" not in found
    documented = " ".join((Path(__file__).parents[2] / "docs/reliability.md").read_text().split())
    assert kind.removeprefix("a ").removeprefix("the ") in documented


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_alike_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize("name", NAMES)
def test_secrets_are_known_by_the_name_of_their_variable(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    value = NAMES[name]
    assert value in redact(f"it is {value}, really")
    monkeypatch.setenv(name, value)
    assert redact(f"it is {value}, really") == "it is [secret], really"


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_is_no_secret(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, SETTINGS[name])
    assert redact(f"it is {SETTINGS[name]}.") == f"it is {SETTINGS[name]}."


@pytest.mark.parametrize(
    "write",
    [
        str, json.dumps, repr, shlex.quote, html.escape, quote, quote_plus, lambda v: quote(v, safe="").lower(),
        lambda v: json.dumps(v, ensure_ascii=False), lambda v: json.dumps(json.dumps(v)),
        lambda v: json.dumps(v).replace("/", "\\/"), lambda v: repr(v.encode()), lambda v: f"\\n{v}",
        lambda v: f"%3D{v}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("value", [ODD, "hunter22"])
def test_a_secret_is_found_however_it_is_escaped(write, value: str, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("DB_PASSWORD", value)
    shown = redact(f"login as {write(value)} failed")
    assert "[secret]" in shown
    assert not {"ss", "hunter"} & set(shown.replace("%", " ").replace("@", " ").split())
    assert len(shown) < 40


def test_a_short_secret_is_a_word_and_a_long_one_is_found_within_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "letter")
    monkeypatch.setenv("MY_TOKEN", "9876543")
    monkeypatch.setenv("HF_TOKEN", "a1B2c3D4e5F6g7")
    text = "letters, letter; 19876543, 9876543: xa1B2c3D4e5F6g7y"
    assert redact(text) == "letters, [secret]; 19876543, [secret]: x[secret]y"


def test_a_password_that_is_the_word_for_it_leaves_texts_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "secret")
    assert redact(redact("a secret, [secret]")) == "a secret, [secret]"


LENGTH = 150_000
LONG = [
    "a", "a.", "://", "://a", "?", "?token", "&key-", "sk-", "eyJ", "eyJaaaaaaaa.", "Cookie:", "Authorization:",
    "password:",
    "Bearer ", "Basic a", "%3A%2F%2F", "-----BEGIN PRIVATE KEY-----", "/webhooks/", "password=", "\\n", "secret", "hf_",
    "é",
]  # fmt: skip


def test_time_grows_with_the_length_of_a_text_and_no_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "aaaaaaaaaaaaaaaaaaaaaaaab1")
    begun = time.process_time()
    for part in LONG:
        redact(part * (LENGTH // len(part)))
    assert time.process_time() - begun < 60  # it was 75 seconds for the first of them alone


def test_every_kind_has_cases_here() -> None:
    assert BY_FORM.keys() == KINDS.keys()
    assert redaction.LEAST > 3
