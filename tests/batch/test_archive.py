"""Whole archives by the library, in this process."""

import contextlib
import dataclasses
import json
import os

import pytest
from PIL import Image

from gccodec.batch.archive import decode_archive, encode_archive
from gccodec.batch.engine import ThisProcess
from gccodec.batch.manifest import Manifest, read_manifest
from gccodec.batch.options import DecodeOptions, EncodeOptions, Machine
from gccodec.batch.plan import ObstacleError, Template, make_plan
from gccodec.batch.restoration import is_coded_name, original_times, picture_name
from gccodec.batch.settings import Settings, Shard
from gccodec.batch.source import entries
from gccodec.batch.verification import read_manifests, verify_archive
from gccodec.codec.codec import Codec
from gccodec.errors import CorruptError, FileError, NothingToDoError, UsageError
from gccodec.image.suffix import is_picture_name
from gccodec.storage.local import LocalStore
from gccodec.storage.replacement import temporary_name
from tests.batch.conftest import picture

OPTIONS = EncodeOptions(quality=300, effort=0)


def encode(folder, archive, options=OPTIONS, start=ThisProcess, **settings):
    plan = make_plan(
        entries([str(folder)]), Template("{dir}/{name}.gcz").target, str(archive), is_picture_name
    )
    return encode_archive(plan, options, Settings(str(archive), **settings), Machine(), start)


def decode(archive, out, options=DecodeOptions(), **settings):  # noqa: B008  # immutable
    plan = make_plan(entries([str(archive)]), picture_name(options.format), str(out), is_coded_name)
    times = original_times(read_manifests(str(archive))[0].records.values())
    return decode_archive(
        plan, options, Settings(str(out), **settings), Machine(), ThisProcess, mtimes_ns=times
    )


def records(archive):
    return read_manifest(LocalStore(str(archive)), "manifest.jsonl").records


def files(folder):
    return {
        os.path.relpath(os.path.join(above, name), folder): os.stat(
            os.path.join(above, name)
        ).st_mtime_ns
        for above, _, names in os.walk(folder)
        for name in names
    }


def never(start):
    raise AssertionError("no worker is needed")


def test_a_tree_is_coded_and_comes_back_with_names_formats_and_times(photos, tmp_path):
    report = encode(photos, tmp_path / "archive", others="copy")
    assert report.counts == {"ok": 3, "copied": 1, "failed": 1}
    assert [name for name, _ in report.failures] == ["bad.jpg"]
    times = files(photos)
    coded = files(tmp_path / "archive")
    coded.pop("manifest.jsonl")
    del times["bad.jpg"]
    assert coded == {
        name if name == "note.txt" else name + ".gcz": time for name, time in times.items()
    }
    for name in os.listdir(tmp_path / "archive"):  # as after a copy that keeps no times
        os.utime(tmp_path / "archive" / name, ns=(0, 0))
    report = decode(tmp_path / "archive", tmp_path / "back", others="copy")
    assert report.counts == {"ok": 3, "copied": 1}
    back = files(tmp_path / "back")
    back.pop("manifest-decode.jsonl")
    assert back.keys() == times.keys()
    assert all(back[name] == times[name] for name in times if name != "note.txt")
    with open(tmp_path / "back" / "2020" / "d.JPG", "rb") as file:
        assert file.read(3) == b"\xff\xd8\xff"


def test_files_are_those_of_the_codec_itself(photos, tmp_path):
    encode(photos, tmp_path / "archive")
    from gccodec.image.reader import read_picture

    for name in ("a.jpg", "2020/b c.png"):
        alone = Codec.load().encode(
            read_picture((photos / name).read_bytes()), quality=300, effort=0
        )
        assert (tmp_path / "archive" / (name + ".gcz")).read_bytes() == alone.data


def test_resume_does_what_is_new_changed_damaged_or_missing_and_nothing_else(photos, tmp_path):
    archive = tmp_path / "archive"
    (photos / "bad.jpg").unlink()
    encode(photos, archive)
    with pytest.raises(NothingToDoError, match="all 3 files"):
        encode(photos, archive, start=never, resume=True)
    os.utime(photos / "a.jpg", ns=(5, 5))  # the same bytes
    with pytest.raises(NothingToDoError):
        encode(photos, archive, start=never, resume=True)
    picture(9).save(photos / "new.jpg")
    picture(8).save(photos / "a.jpg")
    assert encode(photos, archive, resume=True).counts == {"ok": 2}
    data = bytearray((archive / "new.jpg.gcz").read_bytes())
    data[-1] ^= 1
    (archive / "new.jpg.gcz").write_bytes(data)
    (archive / "2020" / "d.JPG.gcz").unlink()
    assert encode(photos, archive, resume=True).counts == {"ok": 2}
    with pytest.raises(NothingToDoError):
        encode(photos, archive, start=never, resume=True)


def test_failures_are_tried_again(photos, tmp_path):
    encode(photos, tmp_path / "archive")
    picture(4).save(photos / "bad.jpg")
    assert encode(photos, tmp_path / "archive", resume=True).counts == {"ok": 1}


def test_other_options_are_refused_or_redone(photos, tmp_path):
    archive = tmp_path / "archive"
    encode(photos, archive)
    other = dataclasses.replace(OPTIONS, quality=301)
    with pytest.raises(UsageError, match="3 files were made with other options"):
        encode(photos, archive, other, resume=True)
    assert encode(photos, archive, other, resume=True, redo=True).counts["ok"] == 3
    assert {r.quality for r in records(archive).values() if r.status == "ok"} == {30.1}


def test_effort_nought_is_another_option_than_the_usual_effort():
    assert EncodeOptions(effort=0).digest != EncodeOptions().digest
    assert EncodeOptions(quality=0).facts["quality"] == 0


def test_an_archive_that_is_there_is_not_written_over(photos, tmp_path):
    archive = tmp_path / "archive"
    encode(photos, archive)
    with pytest.raises(FileError, match="--resume goes on with it"):
        encode(photos, archive, start=never)
    (archive / "manifest.jsonl").unlink()
    with pytest.raises(ObstacleError) as caught:
        encode(photos, archive, start=never)
    assert len(caught.value.obstacles) == 3
    assert not (archive / "manifest.jsonl").exists()
    assert encode(photos, archive, force=True).counts["ok"] == 3


def test_what_was_begun_when_the_machine_stopped_is_ours(photos, tmp_path):
    archive = tmp_path / "archive"
    (photos / "bad.jpg").unlink()
    with Manifest(LocalStore(str(archive)), "manifest.jsonl") as manifest:
        manifest.begin(["a.jpg.gcz", "2020/b c.png.gcz"])
    (archive / "a.jpg.gcz").write_bytes(b"written, but not recorded")
    (archive / "2020").mkdir()
    stray = temporary_name(str(archive / "2020"))
    with open(stray, "wb") as file:
        file.write(b"half a file")
    os.utime(stray, (0, 0))
    assert encode(photos, archive, resume=True).counts["ok"] == 3
    assert sorted(files(archive)) == [
        "2020/b c.png.gcz",
        "2020/d.JPG.gcz",
        "a.jpg.gcz",
        "manifest.jsonl",
    ]


def test_a_second_run_is_refused(photos, tmp_path):
    archive = LocalStore(str(tmp_path / "archive"))
    with Manifest(archive, "manifest.jsonl") as manifest:
        manifest.start_run({})
        for options in ({}, {"resume": True}, {"force": True}):
            with pytest.raises(FileError, match="another run is at work"):
                encode(photos, tmp_path / "archive", start=never, **options)


def test_originals_go_only_after_their_files_were_decoded(photos, tmp_path, monkeypatch):
    archive = tmp_path / "archive"
    with pytest.raises(UsageError, match="needs --verify"):
        encode(photos, archive, delete_sources=True)
    with pytest.raises(UsageError, match="exclude each other"):
        encode(photos, archive, delete_sources=True, verify=True, others="copy")
    (tmp_path / "elsewhere.jpg").write_bytes((photos / "a.jpg").read_bytes())
    os.symlink(tmp_path / "elsewhere.jpg", photos / "linked.jpg")
    report = encode(photos, archive, delete_sources=True, verify=True)
    assert sorted(files(photos)) == ["bad.jpg", "linked.jpg", "note.txt"]
    assert (tmp_path / "elsewhere.jpg").exists()
    assert ("the original stays: a link leads to it" in dict(report.failures).values()) is True
    assert all(record.verified for record in records(archive).values() if record.status == "ok")


def test_a_file_that_does_not_decode_keeps_its_original(photos, tmp_path, monkeypatch):
    from gccodec.codec import verification
    from gccodec.errors import ChecksumError

    def damaged(*_):
        raise ChecksumError("symbols differ")

    monkeypatch.setattr(verification, "verify_symbols", damaged)
    report = encode(photos, tmp_path / "archive", delete_sources=True, verify=True)
    assert report.counts == {"failed": 4, "skipped": 1}
    assert len(files(photos)) == 5
    assert not [name for name in files(tmp_path / "archive") if name.endswith(".gcz")]


def test_resume_with_delete_source_deletes_what_an_earlier_run_left(photos, tmp_path):
    encode(photos, tmp_path / "archive")
    report = encode(photos, tmp_path / "archive", resume=True, delete_sources=True, verify=True)
    assert report.counts["ok"] == 3  # not verified before
    assert sorted(files(photos)) == ["bad.jpg", "note.txt"]
    picture(1).save(photos / "a.jpg")
    encode(photos, tmp_path / "archive", resume=True, verify=True)
    encode(photos, tmp_path / "archive", resume=True, delete_sources=True, verify=True)
    assert sorted(files(photos)) == ["bad.jpg", "note.txt"]


def test_other_files_are_listed_copied_or_a_reason_not_to_start(photos, tmp_path):
    with pytest.raises(ObstacleError, match="is no picture"):
        encode(photos, tmp_path / "a", start=never, others="fail")
    assert encode(photos, tmp_path / "b").counts["skipped"] == 1
    assert records(tmp_path / "b")["note.txt"].status == "skipped"
    encode(photos, tmp_path / "b", resume=True)
    lines = (tmp_path / "b" / "manifest.jsonl").read_text().splitlines()
    assert sum('"note.txt"' in line for line in lines) == 1


def test_shards_are_the_whole(photos, tmp_path):
    for i in range(20):
        picture(i, (16, 16)).save(photos / f"{i}.png")
    counts = []
    for index in (1, 2, 3):
        counts.append(encode(photos, tmp_path / "archive", shard=Shard(index, 3)).counts)
    assert sum(c["ok"] for c in counts) == 23
    assert all(c["ok"] for c in counts)
    report, unlisted = verify_archive(str(tmp_path / "archive"), None, True, ThisProcess)
    assert (report.counts, unlisted) == ({"ok": 23}, 0)
    for text in ("0/3", "4/3", "1", "a/b", "1/3/5"):
        with pytest.raises(UsageError, match="--shard"):
            Shard.parse(text)


def test_verify_finds_what_is_missing_changed_or_damaged(photos, tmp_path):
    archive = tmp_path / "archive"
    encode(photos, archive, others="copy")
    assert verify_archive(str(archive), None, True, ThisProcess)[0].counts == {"ok": 4}
    (archive / "a.jpg.gcz").unlink()
    (archive / "note.txt").write_text("Note")
    data = (archive / "2020" / "d.JPG.gcz").read_bytes()
    (archive / "more.gcz").write_bytes(data)
    (archive / "broken.gcz").write_bytes(data[:-4])
    report, unlisted = verify_archive(str(archive), None, False, ThisProcess)
    assert unlisted == 2
    assert report.counts == {"ok": 3, "failed": 3}
    failures = dict(report.failures)
    assert failures["a.jpg.gcz"] == "is missing"
    assert failures["note.txt"] == "other bytes than the manifest says"
    assert "broken.gcz" in failures
    (tmp_path / "empty").mkdir()
    with pytest.raises(NothingToDoError):
        verify_archive(str(tmp_path / "empty"), None, False, ThisProcess)


def test_formats_that_cannot_be_written_become_png():
    original = picture_name("original")
    names = ["a.jpg.gcz", "b.HEIC.gcz", "c.gcz", "d.tar.gcz", "2020/e.png.gcz"]
    assert [original(n) for n in names] == [
        "a.jpg",
        "b.HEIC.png",
        "c.png",
        "d.tar.png",
        "2020/e.png",
    ]
    assert picture_name("webp")("a.jpg.gcz") == "a.webp"
    with pytest.raises(UsageError, match="--format gif"):
        picture_name("gif")
    assert not is_coded_name(".gcz")


def test_decoding_into_another_format_and_without_metadata(photos, tmp_path):
    encode(photos, tmp_path / "archive")
    decode(tmp_path / "archive", tmp_path / "back", DecodeOptions("png"))
    assert sorted(files(tmp_path / "back")) == [
        "2020/b c.png",
        "2020/d.png",
        "a.png",
        "manifest-decode.jsonl",
    ]
    with pytest.raises(FileError, match="--resume"):
        decode(tmp_path / "archive", tmp_path / "back", DecodeOptions("png"))
    with pytest.raises(NothingToDoError):
        decode(tmp_path / "archive", tmp_path / "back", DecodeOptions("png"), resume=True)


def test_a_restored_picture_that_was_edited_is_not_overwritten(photos, tmp_path):
    archive, back = tmp_path / "archive", tmp_path / "back"
    encode(photos, archive)
    decode(archive, back, DecodeOptions("png"))
    restored = (back / "a.png").read_bytes()
    picture(7).save(back / "a.png")
    edited = (back / "a.png").read_bytes()
    (back / "2020" / "d.png").write_bytes(b"")  # as a power cut may leave it
    for options in ({"resume": True}, {"resume": True, "redo": True}):
        with pytest.raises(ObstacleError, match=r"^a\.png: was changed since it was written"):
            decode(archive, back, DecodeOptions("png"), **options)
        assert (back / "a.png").read_bytes() == edited
    (back / "a.png").rename(tmp_path / "mine.png")
    report = decode(archive, back, DecodeOptions("png"), resume=True)
    assert report.counts == {"ok": 2}
    assert (back / "a.png").read_bytes() == restored


def test_a_manifest_elsewhere(photos, tmp_path):
    where = tmp_path / "lists" / "m.jsonl"
    encode(photos, tmp_path / "archive", manifest=str(where))
    assert not (tmp_path / "archive" / "manifest.jsonl").exists()
    lines = [json.loads(line) for line in where.read_text().splitlines()]
    assert lines[0]["run"]["options"]["quality"] == 300


def test_too_little_space_is_found_before_the_first_picture(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(LocalStore, "free_bytes", lambda self: 100)
    with pytest.raises(FileError, match="are needed, 100 B are free"):
        encode(photos, tmp_path / "archive", start=never)
    assert not (tmp_path / "archive").exists()


def test_a_picture_that_changes_meanwhile_is_a_failure(photos, tmp_path):
    plan = make_plan(
        entries([str(photos)]),
        Template("{name}.gcz").target,
        str(tmp_path / "archive"),
        is_picture_name,
    )
    os.utime(photos / "a.jpg", ns=(7, 7))
    report = encode_archive(
        plan, OPTIONS, Settings(str(tmp_path / "archive")), Machine(), ThisProcess
    )
    assert dict(report.failures)["a.jpg"] == "the picture has changed since the run began"


def test_nothing_at_all(tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(NothingToDoError):
        encode(tmp_path / "photos", tmp_path / "archive", start=never)
    assert not (tmp_path / "archive").exists()


def test_a_manifest_of_somebody_else_is_no_manifest_of_ours(photos, tmp_path):
    (photos / "manifest.jsonl").write_text("theirs")
    (photos / "2020" / "manifest.jsonl").write_text("theirs, too")
    with pytest.raises(ObstacleError, match="in the place of the manifest"):
        encode(photos, tmp_path / "archive", start=never, others="copy")
    elsewhere = str(tmp_path / "m.jsonl")
    assert (
        encode(photos, tmp_path / "archive", others="copy", manifest=elsewhere).counts["copied"]
        == 3
    )
    assert (tmp_path / "archive" / "manifest.jsonl").read_text() == "theirs"


def test_copies_never_meet_coded_pictures_and_stay_where_they_are_in_place(photos, tmp_path):
    (photos / "a.jpg.gcz").write_bytes(b"theirs")
    with pytest.raises(ObstacleError, match="would both be a.jpg.gcz"):
        encode(photos, tmp_path / "archive", start=never, others="copy")
    (photos / "a.jpg.gcz").unlink()
    assert encode(photos, photos, others="copy").counts == {"ok": 3, "failed": 1}
    (photos / "bad.jpg").unlink()
    with pytest.raises(NothingToDoError):
        encode(photos, photos, start=never, others="copy", resume=True)


def test_an_original_that_changed_under_the_same_time_stays(photos, tmp_path):
    (photos / "bad.jpg").unlink()
    encode(photos, tmp_path / "archive", verify=True)
    data = bytearray((photos / "a.jpg").read_bytes())
    data[-3] ^= 1
    (photos / "a.jpg").write_bytes(data)
    os.utime(photos / "a.jpg", ns=(10**18, 10**18))
    report = encode(photos, tmp_path / "archive", resume=True, verify=True, delete_sources=True)
    assert [reason for _, reason in report.failures] == ["the original stays: it has changed"]
    assert sorted(files(photos)) == ["a.jpg", "note.txt"]


def test_a_file_that_is_listed_twice_is_one(photos, tmp_path):
    plan = make_plan(
        entries([str(photos / "a.jpg"), str(photos / "a.jpg")]),
        Template("{name}.gcz").target,
        str(tmp_path / "archive"),
        is_picture_name,
    )
    assert (len(plan.jobs), plan.obstacles) == (1, [])


def test_a_new_picture_does_not_take_the_place_of_one_whose_original_is_gone(photos, tmp_path):
    archive = tmp_path / "archive"
    encode(photos, archive, delete_sources=True, verify=True)
    only = (archive / "a.jpg.gcz").read_bytes()
    first = picture(1)
    picture(9).save(photos / "a.jpg")  # a camera that counts from the beginning
    for options in ({}, {"redo": True}, {"delete_sources": True, "verify": True}):
        with pytest.raises(ObstacleError, match="whose original was deleted"):
            encode(photos, archive, start=never, resume=True, **options)
    assert (archive / "a.jpg.gcz").read_bytes() == only
    first.save(photos / "a.jpg")  # the same one again
    (archive / "a.jpg.gcz").unlink()
    assert encode(photos, archive, resume=True, verify=True).counts["ok"] == 1


def test_nor_does_a_picture_of_another_name(photos, tmp_path):
    options = {"resume": True, "verify": True, "delete_sources": True}

    def stems(**more):
        plan = make_plan(
            entries([str(photos)]),
            Template("{stem}.gcz").target,
            str(tmp_path / "a"),
            is_picture_name,
        )
        return encode_archive(
            plan, OPTIONS, Settings(str(tmp_path / "a"), **more), Machine(), ThisProcess
        )

    stems(verify=True, delete_sources=True)
    picture(9).save(photos / "a.png")
    with pytest.raises(ObstacleError, match="a.gcz: exists"):
        stems(**options)


def test_originals_that_hold_more_than_was_coded_stay(photos, tmp_path):
    for name in ("moving.gif", "pages.tif", "moving.webp"):
        picture(1).save(photos / name, save_all=True, append_images=[picture(2), picture(3)])
    picture(4).save(photos / "sizes.ico", sizes=[(16, 16), (32, 32)])
    report = encode(photos, tmp_path / "archive", delete_sources=True, verify=True)
    stay = {"moving.gif", "pages.tif", "moving.webp", "sizes.ico"}
    assert stay < set(files(photos))
    assert not {"a.jpg", "2020/d.JPG"} & set(files(photos))
    assert sum("further pictures" in reason for _, reason in report.failures) == len(stay)
    encode(photos, tmp_path / "archive", resume=True, delete_sources=True, verify=True)
    assert stay < set(files(photos))


def test_an_original_whose_file_was_written_over_stays(photos, tmp_path, monkeypatch):
    write = LocalStore.write_whole  # on a file system that takes a.jpg.gcz and A.jpg.gcz for one

    def folding(self, name, force, fill):
        write(self, name.lower(), force, fill)

    monkeypatch.setattr(LocalStore, "write_whole", folding)
    opened = LocalStore.open
    monkeypatch.setattr(
        LocalStore, "open", lambda self, name: opened(self, name.lower() if "gcz" in name else name)
    )
    picture(7).save(photos / "A.jpg")
    report = encode(photos, tmp_path / "archive", delete_sources=True, verify=True, force=True)
    assert len({"a.jpg", "A.jpg"} & set(files(photos))) == 1
    assert any("is not what was written" in reason for _, reason in report.failures)


def test_a_picture_that_was_damaged_for_a_while_stops_nothing(photos, tmp_path):
    archive = tmp_path / "archive"
    encode(photos, archive)
    good = (photos / "a.jpg").read_bytes()
    (photos / "a.jpg").write_bytes(b"no picture")
    for _ in range(2):
        assert encode(photos, archive, resume=True).counts == {"failed": 2}
    (photos / "a.jpg").write_bytes(good)
    assert encode(photos, archive, resume=True).counts == {"ok": 1, "failed": 1}


def test_a_ceiling_counts_files_whose_originals_are_gone(photos, tmp_path):
    (photos / "bad.jpg").unlink()
    archive, options = tmp_path / "archive", EncodeOptions(total_bytes=1500, effort=0)
    encode(photos, archive, options, delete_sources=True, verify=True)
    for i in range(20, 24):
        picture(i).save(photos / f"{i}.png")
    with contextlib.suppress(UsageError):
        encode(photos, archive, options, resume=True)
    assert sum(path.stat().st_size for path in archive.rglob("*.gcz")) <= 1500


def test_space_is_needed_for_what_is_left_only(photos, tmp_path, monkeypatch):
    archive, options = tmp_path / "archive", EncodeOptions(total_bytes=2000, effort=0)
    (photos / "bad.jpg").unlink()
    encode(photos, archive, options)
    decode(archive, tmp_path / "back")
    for out in (archive, tmp_path / "back"):
        next(path for path in out.rglob("a.jpg*")).unlink()
    monkeypatch.setattr(LocalStore, "free_bytes", lambda self: 1990)
    assert encode(photos, archive, options, resume=True).counts["ok"] == 1
    monkeypatch.setattr(LocalStore, "free_bytes", lambda self: 2500)
    with pytest.raises(FileError, match="are free"):
        decode(archive, tmp_path / "more")
    assert decode(archive, tmp_path / "back", resume=True).counts["ok"] == 1
    monkeypatch.setattr(LocalStore, "free_bytes", lambda self: 0)
    with pytest.raises(NothingToDoError):
        encode(photos, archive, options, resume=True)


def test_a_file_that_is_no_manifest_is_neither_cut_nor_appended_to(photos, tmp_path):
    for name in ("a.jpg", "note.txt"):
        before = (photos / name).read_bytes()
        for options in ({"resume": True}, {"force": True}):
            with pytest.raises(CorruptError, match="is no manifest"):
                encode(
                    photos,
                    tmp_path / "archive",
                    start=never,
                    manifest=str(photos / name),
                    **options,
                )
        assert (photos / name).read_bytes() == before


def test_a_manifest_that_is_no_regular_file_stays(photos, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for options in ({}, {"resume": True}, {"force": True}):
        with pytest.raises(FileError, match="no regular file"):
            encode(
                photos,
                tmp_path / "archive",
                start=never,
                manifest=str(tmp_path / "pipe"),
                **options,
            )
    assert (tmp_path / "pipe").exists()


def test_an_archive_is_not_copied_into_itself(photos, tmp_path):
    encode(photos, tmp_path / "archive", others="copy")
    os.symlink(tmp_path / "archive", photos / "backup")
    with pytest.raises(ObstacleError) as caught:
        encode(photos, tmp_path / "archive", start=never, others="copy", resume=True)
    assert all("copied into itself" in obstacle for obstacle in caught.value.obstacles)


def test_names_that_a_template_makes_are_found_again(photos, tmp_path):
    target = Template("x/{dir}/./{name}.gcz").target
    plan = make_plan(entries([str(photos)]), target, str(tmp_path / "a"), is_picture_name)
    encode_archive(plan, OPTIONS, Settings(str(tmp_path / "a")), Machine(), ThisProcess)
    report, unlisted = verify_archive(str(tmp_path / "a"), None, False, ThisProcess)
    assert (report.counts, unlisted) == ({"ok": 3}, 0)


def test_an_archive_in_place_is_no_other_file_of_itself(photos):
    (photos / "note.txt").unlink()
    (photos / "bad.jpg").unlink()
    encode(photos, photos, others="fail")
    with pytest.raises(NothingToDoError, match="all 3 files"):
        encode(photos, photos, start=never, others="fail", resume=True)
    encode(photos, photos, others="fail", resume=True, delete_sources=False, verify=True)
    assert all(record.status == "ok" for record in records(photos).values())


@pytest.mark.parametrize("scale", [2, 4])
def test_an_archive_comes_back_small(photos, tmp_path, scale):
    encode(photos, tmp_path / "archive")
    decode(tmp_path / "archive", tmp_path / "back", DecodeOptions(scale=scale))
    for name, size in (("a.jpg", (64, 48)), ("2020/b c.png", (64, 48)), ("2020/d.JPG", (50, 70))):
        with Image.open(tmp_path / "back" / name) as image:
            assert image.size == tuple(-(-side // scale) for side in size)
    assert f'"scale": {scale}' in (tmp_path / "back" / "manifest-decode.jsonl").read_text()
