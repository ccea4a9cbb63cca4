"""The search for files of data sets, and what is said when there are none."""

from memorize_jax.data.downloads import Wanted, find, missing


def test_what_is_missing_says_what_was_looked_for_where_and_what_is_there(tmp_path):
    wanted = Wanted(("best.zip", "good"), "take best.zip", "best", ("above",))
    text = "take best.zip (looked for best.zip, good in {0} and, in it, above, downloads/manual; it {1})"
    assert missing(wanted, tmp_path / "x") == text.format(tmp_path / "x", "does not exist")
    assert missing(wanted, tmp_path) == text.format(tmp_path, "holds nothing")
    for name in ("a file", "worse-best.tar", *"bcdefghij"):
        (tmp_path / name).touch()
    held = "holds worse-best.tar, a file, b, c, d, e, f, g, and 3 more"
    assert missing(wanted, tmp_path) == text.format(tmp_path, held)
    assert missing(wanted, tmp_path / "a file") == text.format(tmp_path / "a file", "is a file")


def test_the_best_name_comes_first_wherever_it_is(tmp_path):
    wanted = Wanted(("best.zip", "good", "file"), "", "", ("above",), inside=("file",))
    assert find(wanted, tmp_path) is None
    (tmp_path / "file").touch()
    assert find(wanted, tmp_path) == find(wanted, tmp_path / "file") == tmp_path
    for path in ("good", "downloads/manual/best.zip", "best.zip", "above/best.zip"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
        assert find(wanted, tmp_path) == find(wanted, tmp_path / "good") == tmp_path / path
