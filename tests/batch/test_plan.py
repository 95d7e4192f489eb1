"""A plan shows what would go wrong before the first picture."""

import os

import pytest

from gccodec.batch.plan import Template, folds_case, make_plan, output_obstacle
from gccodec.errors import UsageError
from gccodec.storage.entry import Entry, Fault

TEMPLATE = Template("{dir}/{name}.gcz").target


def entry(name):
    return Entry("/in", name, 1, 0)


def is_jpeg(name):
    return name.lower().endswith(".jpg")


def planned(names, template=TEMPLATE, out_dir="/out", **options):
    return make_plan([entry(name) for name in names], template, out_dir, is_jpeg, **options)


def test_targets_keep_the_tree_and_the_suffix():
    plan = planned(["a.jpg", "2020/b.JPG", "note.txt"])
    assert [job.target for job in plan.jobs] == ["a.jpg.gcz", "2020/b.JPG.gcz"]
    assert [other.name for other in plan.others] == ["note.txt"]
    assert plan.obstacles == []


def test_faults_are_kept_and_stop_nothing():
    fault = Fault("/in/x", "the folder cannot be read")
    plan = make_plan([fault, entry("a.jpg")], TEMPLATE, "/out", is_jpeg)
    assert plan.faults == [fault]
    assert len(plan.jobs) == 1


@pytest.mark.parametrize(
    ("names", "options", "obstacle"),
    [
        (
            ["a.jpg", "2020/a.jpg"],
            {"template": Template("{stem}.gcz").target},
            "would both become a.gcz",
        ),
        (["a.jpg", "A.JPG"], {"folds_case": True}, "would both become A.JPG.gcz"),
        (["x" * 252 + ".jpg"], {}, "longer than 255 bytes"),
        (["å" * 124 + ".jpg"], {}, "longer than 255 bytes"),
        (["a.jpg"], {"template": Template("../{name}").target}, "would leave the output folder"),
        (
            ["a.jpg", "b.jpg"],
            {"template": Template("{name}").target, "out_dir": "/in"},
            "is an input, too",
        ),
    ],
)
def test_what_forbids_a_run_is_said(names, options, obstacle):
    obstacles = planned(names, **options).obstacles
    assert obstacles
    assert obstacle in obstacles[0]


@pytest.mark.parametrize("text", ["{dir}/x.gcz", "{naem}", "{name", "{}"])
def test_bad_templates_are_usage_errors(text):
    with pytest.raises(UsageError, match="--name"):
        Template(text)


def test_an_output_folder_inside_the_input_is_refused_and_in_place_is_not(tmp_path):
    (tmp_path / "photos" / "archive").mkdir(parents=True)
    os.symlink(tmp_path / "photos", tmp_path / "same")
    photos = str(tmp_path / "photos")
    assert "lies inside" in output_obstacle(photos + "/archive", [str(tmp_path / "same")])
    assert output_obstacle(photos, [photos + "/"]) is None
    assert output_obstacle(str(tmp_path / "photos2"), [photos]) is None
    assert not folds_case(photos)


@pytest.mark.parametrize(
    "text", ["{name!x}", "{name!r}.gcz", "{name:d}", "{stem:>9}", "{name}/", "{name}/."]
)
def test_templates_with_formats_and_names_of_folders_are_refused(text):
    with pytest.raises(UsageError, match="--name"):
        Template(text)


def test_a_target_that_is_a_folder_of_others_is_found():
    plan = planned(["a.jpg", "a/x/b.jpg"], Template("{dir}/{stem}").target)
    assert plan.obstacles == ["/in/a.jpg: its target a is a folder of others"]


def test_targets_that_links_make_one_file_are_found(tmp_path):
    (tmp_path / "x").mkdir()
    os.symlink("x", tmp_path / "y")
    plan = planned(["x/a.jpg", "y/a.jpg", "y/b.jpg"], out_dir=str(tmp_path))
    assert plan.obstacles == [
        f"y/a.jpg.gcz and x/a.jpg.gcz would be one file: a link is in {tmp_path}"
    ]


def test_targets_that_links_lead_to_inputs_are_found(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a.jpg").touch()
    os.symlink("x", tmp_path / "y")
    jobs = [Entry(str(tmp_path / "x"), "a.jpg", 1, 0)]
    plan = make_plan(jobs, Template("y/{name}").target, str(tmp_path), is_jpeg)
    assert len(plan.obstacles) == 1
