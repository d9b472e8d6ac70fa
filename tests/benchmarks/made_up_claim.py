"""Made-up rows and scores of an experiment, in a made-up repository."""

import json

import numpy as np

BLOCKS = ("main", "paired", "detectable", "attempts", "routing", "final")
LISTS = ("clean", "noisy")
COST = {
    "params": 750_000,
    "active_params": 600_000,
    "active_macs": 121_400_000,
    "train_flops": 2.5e12,
    "tries": 3,
    "steps": 900,
    "seed": 7,
    "device": "a GPU",
    "commit": "abc",
}
ROUTING = {
    "load": [0.1, 0.2, 0.3, 0.4],
    "load_entropy": 0.92,
    "route_entropy": 0.5,
    "cross_route": {
        "n_target_split_share": 0.25,
        "cross": {"miss": 0.2, "fa": 0.03},
        "same": {"miss": 0.05, "fa": 0.08},
    },
    "leave_one_out_eer": [8.0, 9.0, 7.5, 11.0],
    "expert_cosine": [[1.0, 0.5], [0.3, 1.0]],
    "mutual_information": {"gender": [0.2, 0.001]},
}


class Repository:
    """A folder with a page, a README and results that tests add to."""

    def __init__(self, root, n_speakers=10, n_each=200):
        self.root, self.n_speakers, self.n_each = root, n_speakers, n_each
        self.results = root / "benchmarks" / "results"
        (self.results / "scores").mkdir(parents=True)
        (root / "docs").mkdir()
        self.page, self.readme = root / "docs/experiment.md", root / "README.md"
        self.jsonl = self.results / "claim.jsonl"
        self.page.write_text("# Title\n" + "".join(map(empty_block, BLOCKS)))
        self.readme.write_text("# Name\n" + empty_block("claim"))

    def trials(self, fold, trial_list):
        """Trials of a fold's own speakers, the same for each system."""
        rng = np.random.default_rng([fold, len(trial_list)])
        enrol = rng.integers(self.n_speakers, size=2 * self.n_each)
        step = rng.integers(1, self.n_speakers, size=2 * self.n_each)
        labels = np.repeat([1, 0], self.n_each)
        test = np.where(labels, enrol, (enrol + step) % self.n_speakers)
        first = fold * self.n_speakers
        noise = rng.normal(size=2 * self.n_each)
        return labels, first + enrol, first + test, noise

    def add_scores(self, name, fold, trial_list, gap):
        """Store scores whose classes lie `gap` apart; give their name."""
        labels, enrol, test, noise = self.trials(fold, trial_list)
        rng = np.random.default_rng(round(1000 * gap))
        own = rng.normal(size=len(labels))
        scores = 0.1 * (gap * labels + noise + 0.3 * own)
        np.savez(
            self.results / "scores" / f"{name}.npz",
            labels=labels.astype(np.uint8),
            scores=scores.astype(np.float16),
            enrol_speaker=enrol.astype(np.int16),
            test_speaker=test.astype(np.int16),
        )
        return f"scores/{name}.npz"

    def add(self, system, gap=2.0, folds=(0, 1), lists=LISTS, **row):
        """Add the rows of a system, with scores."""
        row = {"group": "main", "label": f"label of {system}", **COST, **row}
        for fold in folds:
            for trial_list in lists:
                number = fold if isinstance(fold, int) else 9
                name = f"{row['group']}-{system}-{fold}-{trial_list}"
                scores = self.add_scores(name, number, trial_list, gap)
                where = {"system": system, "fold": fold, "list": trial_list}
                self.add_row(**{"eer": 10.0, **row, **where, "scores": scores})

    def add_row(self, **row):
        """Add a row as it is."""
        with self.jsonl.open("a") as file:
            file.write(json.dumps(row) + "\n")

    def block(self, name, path=None):
        """What stands in a generated block of the page."""
        text = (path or self.page).read_text()
        begin, end = marks(name)
        return text.split(begin)[1].split(end)[0]


def marks(name):
    return f"<!-- generated: {name} -->\n", f"<!-- end of {name} -->\n"


def empty_block(name):
    """Prose, then a block with something old in it."""
    begin, end = marks(name)
    return f"prose before {name}\n\n{begin}old\n{end}\nprose after {name}\n"
