"""What to do about a download that failed, from what the hub's client raises.

For a certificate, a name that no server has and a hub that is down alike, the client's error says
that the file is not in the cache; the reason is in the error's causes. So the chain of causes is
read, and the first that is known decides. Errors of the transport are known by the names of their
classes: which library raises them changes with the client.
"""

import errno
import os
import re
from collections.abc import Iterator

_ELSEWHERE = (
    "run this rule where there is a network (snakemake --until checkpoint), or name a folder with the "
    "files: models.folder"
)
_AWAY = f"it is not in the cache and the hub cannot be reached: {_ELSEWHERE}"
_KEPT = "files that have come whole are kept"
_TERMS = "accept its terms on the hub, or use a token with the right to read it (HF_TOKEN, or hf auth login)"
#: HTTP status → the mend; `_of_client` has more of some.
_STATUS = {
    401: "check HF_ENDPOINT, and your token where it is private (HF_TOKEN, or hf auth login)",
    403: f"{_TERMS}; a proxy or firewall that refuses says the same",
    404: "the hub has no such file: check HF_ENDPOINT",
    407: "the proxy wants a name and password: HTTPS_PROXY=http://NAME:PASSWORD@HOST:PORT",
    429: "too many requests: wait some minutes and run again with fewer downloads at once (snakemake "
    f"--cores 1), or with a token, which is allowed more (hf auth login); {_KEPT}",
}
#: Errors of the client's own → the mend, whatever their status.
_CLIENT = {
    "GatedRepoError": _TERMS,
    "DisabledRepoError": "its owner or the hub has closed it: name a folder with the files, "
    "models.folder",
    "RevisionNotFoundError": "write another models.revision",
    "RemoteEntryNotFoundError": "the hub has no such file; see interference/config/zoo.py",
}
#: Errors of the way to the hub → the mend; {proxy} becomes how a proxy is set here.
_WAY = {
    "SSLCertVerificationError": "its certificate is not trusted here: name those of your network "
    "(SSL_CERT_FILE, a .pem), and check this machine's clock",
    "SSLError": "no encrypted connection comes about: check HF_ENDPOINT and {proxy}",
    "OfflineModeIsEnabled": "it is not in the cache and the hub cannot be reached, as HF_HUB_OFFLINE is "
    f"set: unset it, or {_ELSEWHERE}",
    "gaierror": f"no server of this name is known here: check HF_ENDPOINT and {{proxy}}; {_AWAY}",
    "ProxyError": "check {proxy}, or keep the hub from it (NO_PROXY)",
    "FileMetadataError": "what answered is no hub: check HF_ENDPOINT and {proxy}, and whether the network "
    "wants you to log in first",
    "TimeoutException": "the hub does not answer, or too slowly: run again, with a longer "
    f"HF_HUB_DOWNLOAD_TIMEOUT (seconds); check {{proxy}}; {_AWAY}",
    "UnsupportedProtocol": "write HF_ENDPOINT and {proxy} with what they begin with, https:// or http://",
    "InvalidURL": "write HF_ENDPOINT and {proxy} as https://HOST",
    "LocalProtocolError": "a token that is none may be why: write HF_TOKEN anew, or unset it",
    "UnicodeEncodeError": "a token that is none may be why: write HF_TOKEN anew, or unset it",
    "ConnectError": f"check HF_ENDPOINT and {{proxy}}; {_AWAY}",
}
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)
#: The client's download of chunks tells of the disk in words alone.
_OS_ERROR = re.compile(r"\(os error (\d+)\)")
#: What no log may hold: tokens, signatures, and names and passwords inside an address.
_SECRET = re.compile(
    r"hf_\w+|(?<=Bearer )[^\s'\"]+|(?<=://)[^/\s@]+(?=@)|(?<=\w\?)[^\s'\"]+(?=['\"])"
)


def mend(error: Exception) -> tuple[str, str]:
    """Return (the first line of what happened, what to do about it) for an error of the client."""
    chain = list(_causes(error))
    for at, cause in enumerate(chain):
        what = _of_client(cause) or _of_way(chain[at:]) or _of_disk(cause)
        if what is not None:
            return _said(cause), what
    if any("proxy" in str(cause).lower() for cause in chain):
        return _said(error), _WAY["ProxyError"].format(proxy=_proxy())
    if "LocalEntryNotFoundError" in _names(error):
        return _said(error), _AWAY
    return _said(error), f"run again: {_KEPT}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, what it was raised from, and so on."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _names(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}


def _said(error: BaseException) -> str:
    """Return the first line of an error, and the hub's own message, without secrets."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    first = lines[0] if lines else type(error).__name__
    of_hub = (getattr(error, "server_message", None) or "").strip().splitlines()[:1]
    more = [line[:200] for line in of_hub if line and line not in first]
    return _SECRET.sub("…", ": ".join([first, *more]))


def _of_client(error: BaseException) -> str | None:
    """Return the mend of an answer of the hub, by the client's error and the HTTP status."""
    for name in _CLIENT:
        if name in _names(error):
            return _CLIENT[name]
    response = getattr(error, "response", None)
    if response is None:
        return None
    status = response.status_code
    if status == 401 and "authorization" in response.request.headers:
        return (
            "the token that was sent is none, or no longer: renew it (HF_TOKEN, or hf auth login), or "
            "do without, as public files need none (unset HF_TOKEN, hf auth logout)"
        )
    if status == 404 and "RepositoryNotFoundError" in _names(error):
        return _STATUS[401]
    if status >= 500:
        return f"the hub, or a proxy before it, is down or overloaded: run again later; {_KEPT}"
    return _STATUS.get(status, f"check HF_ENDPOINT and {_proxy()}, and run again: {_KEPT}")


def _of_way(chain: list[BaseException]) -> str | None:
    """Return the mend of an error on the way to the hub, of which the causes say more."""
    if not _names(chain[0]) & _WAY.keys():
        return None
    names = set().union(*map(_names, chain))
    return next(what for name, what in _WAY.items() if name in names).format(proxy=_proxy())


def _proxy() -> str:
    """Return the variables that set a proxy here, or the one that would."""
    proxies = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
    keys = sorted(key for key, value in os.environ.items() if key.upper() in proxies and value)
    return " and ".join(keys) or "the network's proxy (HTTPS_PROXY)"


def _of_disk(error: BaseException) -> str | None:
    """Return the mend of an error of the disk that the client's cache is on."""
    from huggingface_hub.constants import HF_HUB_CACHE

    word = _OS_ERROR.search(str(error))
    number = int(word[1]) if word else getattr(error, "errno", None)
    if number in _FULL:
        return (
            f"the disk of the cache, {HF_HUB_CACHE}, is full, or your share of it: make room there, or "
            f"set HF_HOME to a folder on a larger disk; {_KEPT}"
        )
    if number in _CLOSED:
        return f"the cache, {HF_HUB_CACHE}, cannot be written: set HF_HOME to a folder of your own"
    return None
