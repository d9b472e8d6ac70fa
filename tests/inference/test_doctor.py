from packaging.requirements import Requirement

from speechbrain_moe.inference import doctor


def wanted(monkeypatch, *lines):
    """As if the package asked for this."""
    found = [Requirement(line) for line in lines]
    monkeypatch.setattr(doctor, "requirements", lambda: found)
    monkeypatch.setattr(doctor, "extras", lambda: ["page", "all"])


def test_a_version_out_of_range_is_a_problem_with_its_mend(monkeypatch):
    wanted(monkeypatch, "numpy>=1", "torch<1", "nowhere-at-all>=2")
    versions, problems = doctor.installed_versions()
    assert versions["numpy"] and versions["nowhere-at-all"] is None
    assert len(problems) == 2
    assert 'pip install "torch<1"' in problems[0]
    assert "none installed" in problems[1]


def test_an_extra_lacks_what_it_and_its_parts_are_made_of(monkeypatch):
    wanted(
        monkeypatch,
        "numpy>=1",
        'nowhere-at-all; extra == "page"',
        'scipy>=1; extra == "page"',
        'speechbrain-moe[page]; extra == "all"',
    )
    missing = {"page": ["nowhere-at-all"], "all": ["nowhere-at-all"]}
    assert doctor.missing_of_extras() == missing
