"""What is said of a download that failed, with the hub's real client: each cause has its own mend."""

import ssl

import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from interference.models.mends import mend
from tests.support.hub_server import CONTENT, FILE, REPOSITORY, obtain, serving


@pytest.fixture
def hub():
    with serving({FILE: CONTENT}) as hub:
        yield hub


TOKEN = {"HF_TOKEN": "hf_secret"}
INVALID = {"X-Error-Message": "Invalid credentials in Authorization header"}
EXPIRED = {"X-Error-Code": "RepoNotFound", "X-Error-Message": "User Access Token is expired"}
RENEW = "renew it (HF_TOKEN, or hf auth login), or do without, as public files need none (unset HF_TOKEN"
ANSWERS = {
    "a token that is none": (401, INVALID, TOKEN, RENEW),
    "an expired token": (401, EXPIRED, TOKEN, RENEW),
    "no token": (401, {}, {}, "check HF_ENDPOINT, and your token where it is private"),
    "terms": (
        403,
        {"X-Error-Code": "GatedRepo"},
        TOKEN,
        "accept its terms on the hub, or use a token",
    ),
    "no right": (403, {}, TOKEN, "use a token with the right to read it"),
    "closed": (
        403,
        {"X-Error-Message": "Access to this resource is disabled."},
        {},
        "has closed it",
    ),
    "nothing there": (404, {}, {}, "the hub has no such file"),
    "a proxy's login": (407, {}, {}, "the proxy wants a name and password"),
    "too many requests": (
        429,
        {},
        {},
        "wait some minutes and run again with fewer downloads at once",
    ),
    "an error of the hub": (500, {}, {}, "is down or overloaded: run again later"),
    "a hub that is down": (503, {}, {}, "is down or overloaded: run again later"),
    "an odd answer": (418, {}, {}, "check HF_ENDPOINT and the network's proxy"),
}


@pytest.mark.parametrize("where", ["hub", "cdn"])
@pytest.mark.parametrize("case", ANSWERS)
def test_each_answer_of_the_hub_has_its_own_mend(case, where, hub, tmp_path):
    status, headers, env, said = ANSWERS[case]
    hub.refusals[where] = (status, headers)
    if where == "cdn":
        hub.content = hub.url  # a token goes to the hub's own host alone
    error = obtain(hub, tmp_path, env=env)["error"]
    assert said in error
    assert str(status) in error or case in ("terms", "closed")
    assert error.startswith(f"{FILE} of {REPOSITORY} (revision main): ")
    assert "hf_secret" not in error
    assert "what has come so far" not in error


def test_what_the_hub_says_of_a_token_is_told(hub, tmp_path):
    hub.refusals["hub"] = (401, EXPIRED)
    assert "User Access Token is expired" in obtain(hub, tmp_path, env=TOKEN)["error"]


def test_a_refused_token_leaves_what_is_in_the_cache(hub, tmp_path):
    fetched = obtain(hub, tmp_path)
    hub.refusals["hub"] = (401, INVALID)
    assert obtain(hub, tmp_path, env=TOKEN) == fetched


CLOSED_PORT = "http://127.0.0.1:9"
WAYS = {
    "no server": ({"HF_ENDPOINT": CLOSED_PORT}, "check HF_ENDPOINT and the network's proxy"),
    "no such name": ({"HF_ENDPOINT": "http://hub.invalid"}, "no server of this name is known here"),
    "no encryption": ("https", "no encrypted connection comes about: check HF_ENDPOINT"),
    "no https://": (
        "",
        "write HF_ENDPOINT and the network's proxy (HTTPS_PROXY) with what they begin",
    ),
    "a dead proxy": ({"HTTP_PROXY": CLOSED_PORT}, "check HF_ENDPOINT and HTTP_PROXY"),
    "no such proxy": ({"HTTP_PROXY": "what://host"}, "check HTTP_PROXY, or keep the hub from it"),
    "no token's letters": ({"HF_TOKEN": "hf_é"}, "write HF_TOKEN anew, or unset it"),
}


@pytest.mark.parametrize("case", WAYS)
def test_what_stands_in_the_way_to_the_hub_is_told_with_its_mend(case, hub, tmp_path):
    env, said = WAYS[case]
    if isinstance(env, str):  # another scheme
        env = {"HF_ENDPOINT": hub.url.replace("http://", f"{env}://" if env else "")}
    assert said in obtain(hub, tmp_path, env=env)["error"]


def test_a_proxy_variable_that_is_empty_is_no_proxy(hub, tmp_path):
    env = {"HF_ENDPOINT": CLOSED_PORT, "ALL_PROXY": ""}
    assert "the network's proxy" in obtain(hub, tmp_path, env=env)["error"]


def test_a_certificate_that_is_not_trusted_is_told_from_a_hub_that_is_away():
    outer, inner = (
        type("ConnectError", (Exception,), {})("failed"),
        ssl.SSLCertVerificationError("x"),
    )
    outer.__cause__ = inner
    away = LocalEntryNotFoundError("not in the cache")
    away.__cause__ = outer
    assert "SSL_CERT_FILE" in mend(away)[1]


def test_a_login_page_in_place_of_the_hub_is_told(hub, tmp_path):
    hub.refusals["hub"] = (200, {})
    error = obtain(hub, tmp_path)["error"]
    assert "what answered is no hub" in error
    assert "log in first" in error


FULL = """
import errno, huggingface_hub.file_download as client
def full(url, file, **_):
    raise OSError(errno.{}, "no room")
client.http_get = full
"""
#: As a quota on the size of files does.
LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))"
CHUNKS = """
import huggingface_hub.file_download as client
def full(url, file, **_):
    raise RuntimeError("Data processing error: I/O error: No space left on device (os error 28)")
client.http_get = full
"""


@pytest.mark.parametrize(
    "first", [FULL.format("ENOSPC"), FULL.format("EDQUOT"), LIMITED, CHUNKS],
    ids=["full", "quota", "a limit", "chunks"],
)  # fmt: skip
def test_a_full_disk_is_told_with_the_folder_and_how_to_name_another(first, hub, tmp_path):
    error = obtain(hub, tmp_path, first=first)["error"]
    assert f"the disk of the cache, {tmp_path / 'hub'}, is full" in error
    assert "set HF_HOME to a folder on a larger disk" in error


@pytest.mark.parametrize("kind", ["a file in its place", "no right", "read-only"])
def test_a_cache_that_cannot_be_written_is_told_with_how_to_name_another(kind, hub, tmp_path):
    home, first = tmp_path / "home", ""
    if kind == "a file in its place":
        home.write_text("no folder")
    else:
        code = "EACCES" if kind == "no right" else "EROFS"
        first = FULL.format(code).replace("http_get", "_create_cachedir_tag").replace(
            "url, file", "folder"
        )  # fmt: skip
    error = obtain(hub, home, first=first)["error"]
    assert (
        f"the cache, {home / 'hub'}, cannot be written: set HF_HOME to a folder of your own"
        in error
    )


def test_secrets_of_an_address_are_not_told():
    told, _ = mend(OSError("403 for url 'https://me:word@host/f?X-Sig=abc', Bearer hf_token"))
    assert told == "403 for url 'https://…@host/f?…', Bearer …"
