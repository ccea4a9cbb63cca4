import pytest

from memorize_jax.mirror.plan import (
    Digest,
    Manifest,
    decode,
    encode,
    intended,
    is_file_of_run,
    plan_download,
    plan_upload,
    stage,
)

A, B, C = (Digest(1, letter * 64) for letter in "abc")


def test_a_run_is_written_in_an_order_that_leaves_one_that_goes_on():
    order = [
        "checkpoints/epochs/3/params.linear1.kernel/0.0",
        "checkpoints/resume/3/seal.json",
        "results/geometry.csv",
        "config.json",
        "metrics.csv",
    ]
    assert [stage(path) for path in order] == [0, 1, 2, 3, 4]
    # The same in every member of an ensemble or a sweep.
    assert [stage(f"0a1b2c/seed_0/{path}") for path in order] == [0, 1, 2, 3, 4]
    upload = plan_upload(dict.fromkeys(reversed(order), A), {})
    assert upload.stages == [[path] for path in order]


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("metrics.csv", True),
        ("checkpoints/epochs/3/params.w/.zarray", True),
        (".metrics.tmp.csv", False),
        ("results/.report.html.tmp", False),
        ("checkpoints/epochs/3.new/seal.json", False),
        ("checkpoints/resume/3.old/seal.json", False),
        ("run.lock", False),
        ("seed_0/run.lock", False),
        ("../outside", False),
        ("results/../../outside", False),
        ("/etc/passwd", False),
        ("results//x", False),
    ],
)
def test_what_is_unfinished_or_outside_is_no_file_of_a_run(path, counts):
    assert is_file_of_run(path) == counts


def test_only_what_differs_goes_there_and_only_what_was_known_is_removed():
    local = {"same": A, "changed": B, "new": C, "unsure": A}
    known = {"same": (A,), "changed": (A,), "gone": (B,), "unsure": (A, B)}
    upload = plan_upload(local, known)
    assert upload.stages == [["changed", "new", "unsure"]]
    assert upload.remove == ["gone"]
    assert plan_upload({"same": A}, {"same": (A,)}) == ([], [])


def test_during_an_upload_old_and_new_are_both_right():
    known = {"same": (A,), "changed": (A,), "gone": (B,)}
    assert intended(known, {"changed": B, "new": C, "gone": None}) == {
        "same": (A,),
        "changed": (A, B),
        "new": (None, C),
        "gone": (B, None),
    }


def test_a_download_reads_what_differs_or_is_not_known_for_sure():
    known = {"same": (A,), "changed": (B,), "unsure": (A, B), "new": (None, C), "going": (A, None), "lost": (A,)}
    listed = dict.fromkeys(["same", "changed", "unsure", "new", "going", "foreign"], 1)
    local = dict.fromkeys(["same", "changed", "unsure", "going", "lost", "only here"], A)
    read, gone = plan_download(listed, known, local)
    assert read == ["changed", "foreign", "new", "unsure"]
    assert gone == ["going", "lost", "only here"]


def test_a_manifest_comes_back_and_anything_else_is_refused():
    manifest = Manifest("v", {"a": (A,), "b": (A, None), "c": (None, C)})
    assert decode(encode(manifest), "there") == manifest
    for wrong in (
        b"",
        b"[]",
        b'{"version": "v"}',
        b'{"version": "v", "files": {"a": 3}}',
        b'{"files": [], "version": 1}',
    ):
        with pytest.raises(ValueError, match="gs://there: expected the list of a run's files"):
            decode(wrong, "gs://there")
