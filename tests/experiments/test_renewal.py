import pytest

from memorize_jax.commands import renewal, report
from tests.experiments.made_up import made_up_run


class Ended(BaseException):
    """What Ctrl-C is in these tests."""


def test_a_page_is_written_when_tables_change_and_settles_at_the_end(tmp_path):
    workdir, waited, written, shown = made_up_run(tmp_path), [], [], []

    def write(seconds):
        written.append(seconds)
        (workdir / "results" / "claims.csv").write_text(str(len(written)))
        page = tmp_path / "report.html"
        page.write_text(f'<meta http-equiv="refresh" content="{seconds}">\nthe page')
        return page

    def wait(seconds):
        waited.append(seconds)
        if len(waited) == 3:
            metrics = workdir / "metrics.csv"
            metrics.write_text(metrics.read_text() + "\n")
        if len(waited) == 5:
            raise Ended

    with pytest.raises(Ended):
        renewal.renew(workdir, write, shown.append, wait)
    assert written == [renewal.SECONDS] * 2
    assert shown == [tmp_path / "report.html"]
    assert min(waited) >= renewal.SECONDS
    assert (tmp_path / "report.html").read_text() == "the page"


def test_a_run_that_is_not_there_yet_is_waited_for(tmp_path, capsys):
    def write(seconds):
        raise FileNotFoundError("no table; make it with: a command")

    def wait(seconds):
        if (tmp_path / "metrics.csv").is_file():
            raise Ended
        made_up_run(tmp_path)
        # Once more: what cannot be read yet is tried again.
        assert renewal.state(tmp_path)

    with pytest.raises(Ended):
        renewal.renew(tmp_path, write, lambda page: None, wait)
    with pytest.raises(Ended):
        renewal.renew(tmp_path, write, lambda page: None, wait)
    assert "not yet: no table; make it with: a command" in capsys.readouterr().out


def test_the_page_of_a_run_is_loaded_again_only_if_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "study_page", lambda *about, renewed_every, **_: f"every {renewed_every}")
    workdir = made_up_run(tmp_path)
    assert report.run(workdir)[0].read_text() == "every 0"
    assert report.run(workdir, renewed_every=30)[0].read_text() == "every 30"


def test_open_shows_the_page_in_a_browser_or_says_where_it_is(tmp_path, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(report.webbrowser, "open", lambda address: asked.append(address) or False)
    report._open(tmp_path / "report.html")
    assert asked == [(tmp_path / "report.html").as_uri()]
    assert f"no browser here; the page is {tmp_path / 'report.html'}" in capsys.readouterr().out
