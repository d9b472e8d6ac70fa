import pytest
import torch
from speechbrain.dataio.encoder import CategoricalEncoder

from speechbrain_moe.checkpoints import WholeCheckpointer
from speechbrain_moe.errors import PackageError
from speechbrain_moe.inference.heads import keep_heads
from speechbrain_moe.lobes.classifier import SubcentreClassifier
from speechbrain_moe.training.distillation import Distillation

SPEAKERS = ["ann", "bob"]


def heads(n_classes=6, teacher_dim=5, seed=0):
    """Modules of a training with a teacher: three copies of two speakers."""
    torch.manual_seed(seed)
    return {
        "classifier": SubcentreClassifier(4, out_neurons=n_classes),
        "distillation": Distillation(4, teacher_dim),
    }


def state(module):
    return {k: v.clone() for k, v in module.state_dict().items()}


def same(module, wanted):
    found = module.state_dict()
    return all(torch.equal(found[key], wanted[key]) for key in wanted)


@pytest.fixture
def training(tmp_path):
    """Folder of a training, as far as it is read here, and its modules."""
    modules = heads()
    encoder = CategoricalEncoder()
    encoder.update_from_iterable(SPEAKERS, sequence_input=False)
    save_folder = tmp_path / "out/save"
    save_folder.mkdir(parents=True)
    encoder.save(save_folder / "label_encoder.txt")
    saver = WholeCheckpointer(save_folder, recoverables=modules)
    saver.save_checkpoint(meta={"dev_eer": 9.0, "epoch": 1})
    return tmp_path / "out", modules


def test_centres_of_copies_and_the_head_come_over(training):
    folder, theirs = training
    ours = heads(seed=1)
    kept = keep_heads(ours, folder, SPEAKERS)
    assert kept == ["classifier", "distillation"]
    assert all(same(ours[name], state(theirs[name])) for name in kept)


@pytest.mark.parametrize(
    ("speakers", "sizes", "kept"),
    [
        (["bob", "ann"], {}, ["distillation"]),
        (SPEAKERS, {"n_classes": 2}, ["distillation"]),
        (SPEAKERS, {"teacher_dim": 7}, ["classifier"]),
        (["eve"], {"n_classes": 1, "teacher_dim": 7}, []),
    ],
    ids=["other order", "other copies", "other teacher", "nothing alike"],
)
def test_what_does_not_fit_stays_as_it_was(training, speakers, sizes, kept):
    ours = heads(seed=1, **sizes)
    before = {name: state(module) for name, module in ours.items()}
    assert keep_heads(ours, training[0], speakers) == kept
    for name in before.keys() - set(kept):
        assert same(ours[name], before[name]), name


def test_a_training_without_a_teacher_takes_the_centres_alone(training):
    ours = {"classifier": heads(seed=1)["classifier"]}
    assert keep_heads(ours, training[0], SPEAKERS) == ["classifier"]


def test_a_package_changes_nothing(tmp_path):
    ours = heads()
    before = state(ours["classifier"])
    assert keep_heads(ours, tmp_path, SPEAKERS) == []
    assert same(ours["classifier"], before)


def test_a_damaged_head_is_named(training):
    folder, _ = training
    (file,) = folder.glob("save/*/distillation.ckpt")
    data = file.read_bytes()
    file.write_bytes(bytes(len(data)))
    with pytest.raises(PackageError, match="distillation.ckpt"):
        keep_heads(heads(), folder, SPEAKERS)
