"""Fetching a checkpoint with the hub's real client, from a hub on this machine."""

import hashlib
from pathlib import Path

import pytest

from tests.support.hub_server import COMMIT, CONTENT, FILE, obtain, serving


@pytest.fixture
def hub():
    with serving({FILE: CONTENT}) as hub:
        yield hub


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_file_is_fetched_once_and_is_what_the_hub_said(hub, tmp_path):
    first = obtain(hub, tmp_path)
    assert Path(first["path"]).read_bytes() == CONTENT
    assert first["digest"] == digest(CONTENT)
    again = obtain(hub, tmp_path, sha256=digest(CONTENT))
    assert again == first
    assert len(hub.served("GET")) == 1


def test_without_a_network_the_cache_is_enough(hub, tmp_path):
    fetched = obtain(hub, tmp_path)
    asked = len(hub.requests)
    assert obtain(hub, tmp_path, offline=True) == fetched
    assert len(hub.requests) == asked


def test_a_download_that_broke_off_goes_on_where_it_was(hub, tmp_path):
    hub.files[FILE] = CONTENT * 6  # the client writes 10 MB at a time
    hub.drops = [15_000_000]
    assert obtain(hub, tmp_path)["digest"] == digest(CONTENT * 6)
    first, again = hub.served("GET")
    assert first is None
    assert 0 < int(again.removeprefix("bytes=").split("-")[0]) <= 15_000_000


def test_a_named_commit_is_asked_for(hub, tmp_path):
    assert obtain(hub, tmp_path, revision=COMMIT)["digest"] == digest(CONTENT)
    assert any(f"/resolve/{COMMIT}/" in path for _, path, _ in hub.requests)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"file": "resnet18_l2_eps7.ckpt"}, "the hub has no such file"),
        ({"repository": "madrylab/other"}, "check HF_ENDPOINT, and your token"),
        ({"revision": "v9"}, "write another models.revision"),
        ({"sha256": "0" * 64}, f"models asks for {'0' * 64}"),
    ],
)
def test_what_cannot_be_had_is_told_with_its_mend(changes, said, hub, tmp_path):
    error = obtain(hub, tmp_path, **changes)["error"]
    assert said in error
    assert changes.get("file", FILE) in error


def test_nothing_cached_and_no_network_is_told(hub, tmp_path):
    error = obtain(hub, tmp_path, offline=True)["error"]
    assert "not in the cache and the hub cannot be reached" in error
    assert "models.folder" in error
    assert hub.requests == []


def test_content_that_is_not_what_the_hub_said_is_refused(hub, tmp_path):
    hub.lies[FILE] = CONTENT[::-1]
    error = obtain(hub, tmp_path)["error"]
    assert f"has SHA-256 {digest(CONTENT[::-1])}, the hub says {digest(CONTENT)}" in error
    assert "remove " in error


def test_a_file_that_was_damaged_in_the_cache_is_refused(hub, tmp_path):
    path = Path(obtain(hub, tmp_path)["path"]).resolve()
    path.write_bytes(CONTENT[:-1] + b"x")
    assert f"the hub says {digest(CONTENT)}" in obtain(hub, tmp_path, offline=True)["error"]


def test_a_folder_with_the_files_needs_no_hub(hub, tmp_path):
    (tmp_path / FILE).write_bytes(CONTENT)
    assert obtain(hub, tmp_path / "home", folder=str(tmp_path))["path"] == str(tmp_path / FILE)
    assert "there is no such file" in obtain(hub, tmp_path / "home", folder="/nowhere")["error"]
    assert hub.requests == []


def test_a_folder_in_place_of_a_file_and_one_that_cannot_be_read_are_told(hub, tmp_path):
    (tmp_path / FILE).mkdir()
    assert "this is a folder" in obtain(hub, tmp_path / "home", folder=str(tmp_path))["error"]
    (tmp_path / "file").write_bytes(CONTENT)
    first = """
from interference.models import hub
def sha256(path):
    raise PermissionError(13, "Permission denied")
hub.sha256 = sha256
"""
    error = obtain(hub, tmp_path, folder=str(tmp_path), file="file", first=first)["error"]
    assert "cannot be read: Permission denied; see to its permissions" in error
