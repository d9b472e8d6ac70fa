"""Enrolling and identifying as a visitor does, in a headless browser."""

from page_server import numbers_on, upload

from speechbrain_moe.inference.shipped import open_recognition


def test_person_is_enrolled_identified_and_forgotten(
    visit, package, recordings
):
    one = recordings["one"]
    visit.click("role=tab[name='Enrol and identify']")
    visit.fill("#name textarea, #name input", "Zoë")
    upload(visit, "enrol-voice", one)
    visit.click("#enrol")
    visit.wait_for_selector("#enrolment .verdict")
    assert "Zoë, 1 recording." in visit.inner_text("#enrolment")
    upload(visit, "unknown-voice", recordings["two"])
    visit.click("#identify")
    visit.wait_for_selector("#identity .verdict")
    model = open_recognition(package)
    found = model.identify(recordings["two"], {"Zoë": model.enrol(one)})
    page = numbers_on(visit, "identity")
    for key in ("name", "scores", "llr", "probability", "threshold"):
        assert page[key] == getattr(found, key), key
    visit.click("#delete")
    visit.wait_for_selector("#enrolment >> text=Zoë is not enrolled any more")
    visit.click("#enrol")
    visit.wait_for_selector("#enrolment >> text=Zoë, 1 recording")
    visit.reload()
    visit.click("role=tab[name='Enrol and identify']")
    upload(visit, "unknown-voice", one)
    visit.click("#identify")
    visit.wait_for_selector("#identity .verdict")
    assert "nobody is enrolled" in visit.inner_text("#identity")


def test_a_visitor_does_not_see_whom_another_enrolled(
    visit, browser, url, recordings
):
    visit.click("role=tab[name='Enrol and identify']")
    visit.fill("#name textarea, #name input", "ann")
    upload(visit, "enrol-voice", recordings["one"])
    visit.click("#enrol")
    visit.wait_for_selector("#enrolment .verdict")
    with browser.new_context() as context:
        other = context.new_page()
        other.goto(url)
        other.click("role=tab[name='Enrol and identify']")
        upload(other, "unknown-voice", recordings["one"])
        other.click("#identify")
        other.wait_for_selector("#identity .verdict")
        assert "nobody is enrolled" in other.inner_text("#identity")


def test_every_use_of_a_visit_renews_its_hour(visit, url):
    config = visit.request.get(f"{url}/config").json()
    kinds = {one["id"]: one["type"] for one in config["components"]}
    users = [
        (one["inputs"], one["outputs"])
        for one in config["dependencies"]
        if "state" in map(kinds.get, one["inputs"])
    ]
    assert len(users) == 4
    assert all("state" in map(kinds.get, shown) for _, shown in users)


def test_threshold_to_identify_by_can_be_chosen(visit, recordings):
    visit.click("role=tab[name='Enrol and identify']")
    visit.fill("#name textarea, #name input", "ann")
    upload(visit, "enrol-voice", recordings["one"])
    visit.click("#enrol")
    visit.wait_for_selector("#enrolment .verdict")
    upload(visit, "unknown-voice", recordings["two"])
    visit.click("#how-to-identify button")
    visit.click("#how-to-identify >> text=a cosine of my own")
    visit.fill("#how-to-identify input[type=number]", "-1")
    visit.click("#identify")
    visit.wait_for_selector("#identity .verdict")
    page = numbers_on(visit, "identity")
    assert page["threshold"] == -1 and page["name"] == "ann"
