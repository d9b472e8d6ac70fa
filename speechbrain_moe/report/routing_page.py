"""The routing report as a page: words, tables and pictures of its facts.

 * one file: pictures are inside, nothing is fetched, no script runs
 * every number comes from the facts, which stand beside it as JSON
 * each section says how to read it, and where it misleads

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

import json
from html import escape
from pathlib import Path

from speechbrain_moe.files import write_whole
from speechbrain_moe.report import routing_figures as draw
from speechbrain_moe.report.html import (
    count_of,
    document,
    image,
    interval_text,
    table,
)


def write_report(facts: dict, folder) -> dict:
    """Write the report as routing.html and routing.json.

    Arguments
    ---------
    facts : dict
        What ``routing_facts`` returned; more keys in its ``about`` are shown.
    folder : str or Path
        Made if need be; older files are replaced when the new are whole.

    Returns
    -------
    dict
        Paths of the two, as page and facts.

    Raises
    ------
    MissingPackageError
        If matplotlib is missing; the message gives the pip line.
    """
    page, data = Path(folder) / "routing.html", Path(folder) / "routing.json"
    write_whole(data, json.dumps(facts, indent=1, allow_nan=False) + "\n")
    write_whole(page, render(facts))
    return {"page": str(page), "facts": str(data)}


def render(facts: dict) -> str:
    """Give the page of a routing report.

    Arguments
    ---------
    facts : dict
        What ``routing_facts`` returned.

    Returns
    -------
    str
        HTML, whole.
    """
    E = facts["about"]["n_experts"]
    sections = [_about(facts)]
    if facts["routes"]:
        sections += [
            _load(facts["load"], facts["margin"]),
            _attributes(facts["attributes"]),
            _routes(facts["routes"]),
        ]
    else:
        sections.append(_nothing(facts["about"]))
    if len(facts["similarity"]) > 1:
        sections.append(_errors(facts["errors"], E))
        sections.append(_similarity(facts["similarity"], E))
    if facts["map"]:
        sections.append(_map(facts["map"]))
    if facts["examples"]:
        sections.append(_examples(facts["examples"]))
    return document("Routing report", "".join(sections))


def _about(facts):
    """Return the head of the page: what, on which data, how good."""
    a = facts["about"]
    named = [
        f"{word} <code>{escape(str(a[key]))}</code>"
        for word, key in (("model", "model"), ("trials", "trials"))
        if key in a
    ]
    choice = (
        f"top-{a['top_k']}" if a["selection"] == "top_k" else a["selection"]
    )
    always = a["always_on_weight"]
    more = f" and one always on (weight {always:g})" if always else ""
    return (
        "<h1>Routing report</h1>\n"
        f'<p class="note">{"; ".join(named)}</p>\n'
        f"<p>{count_of(a['n_experts'], 'expert')}{more}, {choice} selection; "
        f"{count_of(a['n_files'], 'file')} of "
        f"{count_of(a['n_speakers'], 'speaker')}, {a['n_targets']} target and "
        f"{a['n_nontargets']} nontarget trials. "
        f"EER {interval_text(facts['errors']['whole'])} %. "
        "Square brackets hold 95 % intervals, from resampling speakers; with "
        "few speakers they are too narrow.</p>\n"
    )


def _nothing(a):
    """Return the section of a model that does not route."""
    why = (
        "there is one expert"
        if a["n_experts"] == 1
        else ("the selection is uniform, every expert weighs the same")
    )
    return (
        "<h2>Routing</h2>\n"
        f"<p>There is nothing to route: {why}. Load, attributes and the "
        "comparison of routes are left out.</p>\n"
    )


def _load(load, margin):
    """Return the section on load, entropies and margin."""
    dead = ", ".join(f"expert {i}" for i in load["dead"]) or "none"
    rows = [
        (words, f"{load[key]:.3f} nats", f"{100 * load[key + '_share']:.0f} %")
        for words, key in (
            ("load entropy (over all files)", "load_entropy"),
            ("route entropy (mean over files)", "route_entropy"),
        )
    ]
    low, mid, high = margin["quartiles"]
    return (
        "<h2>Load and entropy</h2>\n"
        "<p>The route of a file is its expert of the largest weight. Load is "
        "the share of files on that route, importance the gate's mean "
        f"probability. Dead experts (load below 1 %): {dead}.</p>\n"
        + image(draw.draw_load(load), "load and importance of each expert")
        + table(("", "entropy", "of log E"), rows)
        + f"<p>Gate margin, best less second probability: median {mid:.3f}, "
        f"quartiles {low:.3f} and {high:.3f}, mean {margin['mean']:.3f}; "
        f"{100 * margin['below_0_1']:.0f} % of files below 0.1.</p>\n"
        '<p class="note">Load and route entropy both low: collapse. Both '
        "high: no specialisation. Load entropy high and route entropy low: "
        "files are sent to different experts, and surely.</p>\n"
    )


def _attributes(attributes):
    """Return the section on attributes: heatmap and tests."""
    rows = []
    for name, a in attributes.items():
        if "p_value" in a:
            tested = (
                f"{a['mutual_information']:.4f}",
                f"{a['chance']:.4f}",
                f"{a['p_value']:.3f}",
                a["permuted"],
            )
        else:
            tested = ("-", "-", "-", "not tested: fewer than two values")
        rows.append((escape(name), *tested, str(a["n_unknown"])))
    head = (
        *("attribute", "MI, nats", "by chance", "p", "permuted"),
        "files unknown",
    )
    return (
        "<h2>Which files go where</h2>\n"
        "<p>Share in % of the files with each attribute value that each "
        "expert takes; rows sum to 100.</p>\n"
        + image(draw.draw_attributes(attributes), "expert by attribute")
        + table(head, rows, numbers=(1, 2, 3, 5))
        + '<p class="note">Mutual information (MI) of route and attribute; '
        "what it is by chance is the mean over permutations. Utterances of "
        "one speaker are not independent: an attribute that belongs to the "
        "speaker changes places between whole speakers, one that is another "
        "for each speaker between all utterances, any other between "
        "the utterances of each speaker, which tests what is left once the "
        f"speaker is known. {len(rows)} attributes are tested and p-values "
        "are not corrected for that. SNR is an estimate: loud frames (95th "
        "percentile of energy) over quiet ones (10th); reverberation and a "
        "lack of pauses lower it.</p>\n"
    )


def _routes(routes):
    """Return the section on cross-route and same-route trials."""
    rows = []
    scored_by = {"routed": "mixture", "even": "equal weights"}
    for kind, name in scored_by.items():
        for key in ("same", "cross"):
            group = routes[kind][key]
            numbers = (group[k] for k in ("n_targets", "n_nontargets"))
            rates = (group[k] for k in ("miss", "false_alarm", "eer"))
            texts = (*map(str, numbers), *map(interval_text, rates))
            rows.append((name, key, *texts))
    head = ("scored by", "routes", "targets", "nontargets", "misses, %")
    head = (*head, "false alarms, %", "group EER, %")
    split = routes["routed"]
    return (
        "<h2>Trials across routes</h2>\n"
        f"<p>{split['split_targets']:.1f} % of target trials and "
        f"{split['split_nontargets']:.1f} % of nontarget trials are split: "
        "their two sides took different routes.</p>\n"
        + table(head, rows, range(2, 7))
        + '<p class="note">Misses and false alarms are those at one threshold '
        "for both groups, that of the EER over all trials "
        f"({split['threshold']:.3f} for the mixture). The EER of a group "
        "misleads by itself: a gate that goes by voice splits easy nontarget "
        "trials and hard target trials off, which moves both groups' EER "
        "while no score changes. Equal weights are the same trials with "
        "nothing routed, all experts on every file: if misses rise across "
        "routes there too, those trials are hard; where the mixture's rise "
        "far more, its experts do not share one space. That row runs every "
        "expert, so its level is no fair comparison, its rise is.</p>\n"
    )


def _errors(errors, n_experts):
    """Return the section on each expert's worth."""
    names = draw.expert_names(n_experts, len(errors["alone"]))
    rows = [("the mixture", interval_text(errors["whole"]), "")]
    for i, alone in errors["alone"].items():
        without = errors["without"].get(i)
        rows.append(
            (names[int(i)], interval_text(alone), interval_text(without))
        )
    return (
        "<h2>What each expert is worth</h2>\n"
        "<p>EER of one expert on all files, and of the mixture without it: "
        "the gate then takes its next choice, weights scaled to sum to "
        "one.</p>\n"
        + image(draw.draw_errors(errors, n_experts), "EER by expert")
        + table(("", "alone, EER %", "without it, EER %"), rows)
        + '<p class="note">An expert alone also gets files that the gate '
        "never sent it in training. An expert whose absence changes nothing "
        "is not needed on this list.</p>\n"
    )


def _similarity(similarity, n_experts):
    """Return the section on the likeness of experts."""
    return (
        "<h2>How alike experts are</h2>\n"
        "<p>Mean cosine of two experts' embeddings of the same file. Near 1: "
        "they say the same. Near 0: they speak different languages, and "
        "trials across routes must suffer.</p>\n"
        + image(
            draw.draw_similarity(similarity, n_experts), "cosine of experts"
        )
    )


def _map(map_):
    """Return the section with the t-SNE map."""
    colours = map_["routes"] and (
        " An island of mixed colours: routes meet in one space. One speaker "
        "in two islands of different colour: they do not."
    )
    return (
        "<h2>Map of embeddings</h2>\n"
        f"<p>t-SNE of {count_of(len(map_['points']), 'embedding')} by cosine. "
        "Islands are mostly speakers; distances between islands mean "
        f"nothing.{colours or ''}</p>\n"
        + image(draw.draw_map(map_), "t-SNE of embeddings by route")
    )


def _examples(examples):
    """Return the section with each expert's surest files."""
    parts = ["<h2>What each expert takes most surely</h2>\n"]
    head = ("file", "probability", "weight", "s", "known of it")
    for expert, rows in enumerate(examples):
        if not rows:
            parts.append(f"<h3>expert {expert}</h3>\n<p>No file.</p>\n")
            continue
        cells = [
            (
                f"<code>{escape(r['path'])}</code>",
                f"{r['gate_prob']:.3f}",
                f"{r['weight']:.3f}",
                f"{r['duration_s']:.1f}",
                escape("; ".join(map(" ".join, r["attributes"].items()))),
            )
            for r in rows
        ]
        parts.append(f"<h3>expert {expert}</h3>\n")
        parts.append(table(head, cells, (1, 2, 3)))
    return "".join(parts)
