"""The page of the routing report: whole, self-contained, true to its facts."""

import json
import os
import re
from html.parser import HTMLParser

import pandas as pd
import pytest
from routing_arrays import all_trials, make_collected

from speechbrain_moe.report.routing_facts import routing_facts
from speechbrain_moe.report.routing_page import render, write_report

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")
VOID = {"meta", "img"}


def make_facts(*shape, **options):
    collected = make_collected(*shape, **options)
    n_files = len(collected["paths"])
    table = pd.DataFrame(
        {"path": collected["paths"], "gender": ["f", "<m>"] * (n_files // 2)}
    )
    return routing_facts(collected, all_trials(collected), table, n_resamples=5)


@pytest.fixture(scope="module")
def facts():
    return make_facts()


class Tags(HTMLParser):
    """Fails where a tag is not closed in its turn."""

    def __init__(self):
        super().__init__()
        self.open, self.links = [], []

    def handle_starttag(self, tag, attrs):
        self.links += [v for k, v in attrs if k in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def headings(page):
    return re.findall("<h2>(.*?)</h2>", page)


def test_the_page_is_well_formed_and_needs_no_other_file(facts):
    page = render(facts)
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert len(tags.links) == 5
    assert all(x.startswith("data:image/png;base64,") for x in tags.links)
    assert "http" not in page and "<script" not in page


def test_numbers_on_the_page_are_those_of_the_facts(facts):
    page = render(facts)
    whole = facts["errors"]["whole"]
    assert f"EER {whole['estimate']:.2f} [{whole['low']:.2f}" in page
    assert (
        f"{facts['routes']['routed']['split_targets']:.1f} % of target" in page
    )
    assert f"{facts['load']['load_entropy']:.3f} nats" in page


def test_text_of_a_table_is_escaped(facts):
    page = render(facts)
    assert "<m>" not in page
    assert "&lt;m&gt;" in page


def test_the_page_warns_of_the_eer_of_a_group(facts):
    assert "The EER of a group misleads by itself" in render(facts)


def test_each_kind_of_model_has_its_sections(facts):
    assert len(headings(render(facts))) == 7
    uniform = render(make_facts("uniform"))
    assert headings(uniform) == [
        "Routing",
        "What each expert is worth",
        "How alike experts are",
        "Map of embeddings",
    ]
    one = render(make_facts("top_k", n_experts=1))
    assert headings(one) == ["Routing", "Map of embeddings"]
    assert "nothing to route: there is one expert" in one


def test_an_always_on_expert_is_named(facts):
    page = render(make_facts(always_on_weight=0.25))
    assert "one always on (weight 0.25)" in page
    assert "always on</td>" in page
    assert "always on</td>" not in render(facts)


def test_groups_without_trials_and_unknown_attributes_can_be_shown(facts):
    empty = dict.fromkeys(("miss", "false_alarm", "eer"))
    routed = facts["routes"]["routed"]
    routed = {**routed, "cross": {**routed["cross"], **empty}}
    unknown = {"values": [], "counts": [], "shares": [], "n_unknown": 48}
    page = render(
        {
            **facts,
            "routes": {**facts["routes"], "routed": routed},
            "attributes": {**facts["attributes"], "age class": unknown},
        }
    )
    assert '<td class="n">-</td>' in page
    assert "not tested: fewer than two values" in page


def test_page_and_json_are_written_beside_each_other(facts, tmp_path):
    written = write_report(facts, tmp_path / "new")
    names = sorted(os.listdir(tmp_path / "new"))
    assert names == ["routing.html", "routing.json"]
    with open(written["facts"], encoding="utf-8") as file:
        assert json.load(file) == facts
