"""Files of an archive are found without opening one."""

import os

import pytest

from gccodec.batch.source import entries, listed, split_list
from gccodec.errors import FileError, UsageError
from gccodec.storage.entry import Entry, Fault
from gccodec.storage.local import LocalStore


@pytest.fixture
def tree(tmp_path):
    for name in ("b.jpg", "2020/a.jpg", "2020/x/c.png", "note.txt"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path / "photos"


def walk(folder):
    return LocalStore(folder).walk()


def names(found):
    return [item.name for item in found if isinstance(item, Entry)]


def test_a_tree_is_walked_in_the_order_of_names(tree):
    found = list(walk(str(tree)))
    assert names(found) == ["2020/a.jpg", "2020/x/c.png", "b.jpg", "note.txt"]
    assert found[0].size_bytes == 10
    assert found[0].mtime_ns == os.stat(tree / "2020/a.jpg").st_mtime_ns


def test_links_are_followed_but_not_in_circles(tree, tmp_path):
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "d.jpg").write_bytes(b"d")
    os.symlink(other, tree / "linked")
    os.symlink("..", tree / "2020" / "back")
    os.symlink("nowhere", tree / "dangling.jpg")
    found = list(walk(str(tree)))
    assert "linked/d.jpg" in names(found)
    assert len(names(found)) == 5
    reasons = {os.path.basename(f.path): f.reason for f in found if isinstance(f, Fault)}
    assert reasons == {
        "back": "the link leads back to a folder that it is in",
        "dangling.jpg": "the link leads nowhere",
    }


def test_a_folder_that_cannot_be_read_is_a_fault_and_the_rest_is_found(tree, monkeypatch):
    scandir = os.scandir

    def denied(path):
        if str(path).endswith("2020"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", denied)
    found = list(walk(str(tree)))
    assert names(found) == ["b.jpg", "note.txt"]
    assert [f.reason for f in found if isinstance(f, Fault)] == [
        "the folder cannot be read: Permission denied"
    ]


def test_listed_files_are_called_by_their_paths(tree, monkeypatch):
    monkeypatch.chdir(tree.parent)
    assert names(listed(["photos/2020/../b.jpg"])) == ["photos/b.jpg"]
    assert names(listed([str(tree / "b.jpg")])) == [str(tree / "b.jpg").lstrip("/")]
    assert names(listed([str(tree / "2020/a.jpg")], str(tree))) == ["2020/a.jpg"]
    with pytest.raises(UsageError, match="--root"):
        list(listed(["../a.jpg"]))
    with pytest.raises(UsageError, match="not below"):
        list(listed(["photos/b.jpg"], "photos/2020"))
    assert [f.reason for f in listed(["none.jpg", "photos"])] == [
        "No such file or directory",
        "is a folder; name it as an argument, not in a list of files",
    ]


def test_arguments_are_folders_files_and_globs(tree, monkeypatch):
    monkeypatch.chdir(tree.parent)
    assert names(entries(["photos/b.jpg", "photos/*/*.jpg"])) == ["b.jpg", "2020/a.jpg"]
    assert names(entries(["photos/**/*.png"])) == ["2020/x/c.png"]
    (tree / "odd[1].jpg").write_bytes(b"")
    assert names(entries(["photos/odd[1].jpg"])) == ["odd[1].jpg"]
    for missing in ("none", "none/*.jpg"):
        with pytest.raises(FileError):
            list(entries([missing]))


def test_a_list_is_split_at_newlines_or_nuls_and_keeps_odd_names():
    assert split_list(b"a b\nc\n", b"\n") == ["a b", "c"]
    assert split_list(b"a\nb\0\xff.jpg\0", b"\0") == ["a\nb", os.fsdecode(b"\xff.jpg")]


def test_pipes_in_a_list_are_not_opened(tree):
    os.mkfifo(tree / "pipe.jpg")
    assert list(listed([str(tree / "pipe.jpg")])) == [
        Fault(str(tree / "pipe.jpg"), "is no regular file")
    ]


def test_folders_have_names_below_a_root(tree):
    assert names(entries([str(tree / "2020")], str(tree))) == ["2020/a.jpg", "2020/x/c.png"]
    assert names(entries([str(tree)], str(tree)))[0] == "2020/a.jpg"
    with pytest.raises(UsageError, match="not below --root"):
        list(entries([str(tree)], str(tree / "2020")))


def test_folders_may_be_nested_deeper_than_calls(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(1200):
        os.mkdir("d")
        os.chdir("d")
    with open("a.jpg", "wb"):
        pass
    found = list(walk(str(tmp_path)))
    os.unlink("a.jpg")
    for _ in range(1200):  # pytest's own clearing up is recursive
        os.chdir("..")
        os.rmdir("d")
    assert names(found) == ["d/" * 1200 + "a.jpg"]


def test_lists_of_windows():
    assert split_list(b"a.jpg\r\nb.jpg\r\n", b"\n") == ["a.jpg", "b.jpg"]
    assert split_list(b"a.jpg\r\nb.jpg\n", b"\n") == ["a.jpg\r", "b.jpg"]
    assert split_list(b"a.jpg\r\n\0", b"\0") == ["a.jpg\r\n"]
