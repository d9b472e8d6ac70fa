import pytest
import torch
import torch.nn.functional as F
from speechbrain.lobes.models.ECAPA_TDNN import Classifier

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.lobes.classifier import SubcentreClassifier


@pytest.fixture
def embedding():
    return torch.randn(6, 1, 8)


@pytest.fixture
def classifier():
    return SubcentreClassifier(8, out_neurons=5, n_subcentres=3)


def test_one_centre_is_the_stock_classifier_bit_for_bit(embedding):
    torch.manual_seed(3)
    stock = Classifier(8, out_neurons=5)
    torch.manual_seed(3)
    ours = SubcentreClassifier(8, out_neurons=5)
    assert list(ours.state_dict()) == list(stock.state_dict())
    assert torch.equal(ours.weight, stock.weight)
    assert torch.equal(ours(embedding), stock(embedding))
    for model in (ours, stock):
        model(embedding).square().sum().backward()
    assert torch.equal(ours.weight.grad, stock.weight.grad)


def test_nearest_centre_counts_by_hand():
    classifier = SubcentreClassifier(2, out_neurons=2, n_subcentres=2)
    centres = [[1.0, 0.0], [0.0, 2.0], [-3.0, 0.0], [3.0, -4.0]]
    classifier.weight.data = torch.tensor(centres)
    found = classifier(torch.tensor([[[10.0, 0.0]], [[0.0, -1.0]]]))
    assert torch.allclose(found, torch.tensor([[[1.0, 0.6]], [[0.0, 0.8]]]))


def test_cosines_equal_a_slow_loop(classifier, embedding):
    found = classifier(embedding)
    assert found.shape == (6, 1, 5)
    for b in range(6):
        for n in range(5):
            centres = classifier.weight[3 * n : 3 * n + 3]
            cosines = [
                F.cosine_similarity(embedding[b, 0], c, 0) for c in centres
            ]
            assert found[b, 0, n].item() == pytest.approx(
                max(cosines).item(), abs=1e-6
            )


def test_gradient_reaches_the_nearest_centre_alone(classifier, embedding):
    classifier(embedding[:1])[0, 0, 2].backward()
    own = F.normalize(classifier.weight[6:9]) @ embedding[0, 0]
    reached = classifier.weight.grad.abs().sum(1).nonzero().flatten()
    assert reached.tolist() == [6 + own.argmax().item()]


def test_gradient_reaches_one_of_centres_that_tie(classifier, embedding):
    classifier.weight.data[6:9] = classifier.weight.data[6].clone()
    classifier(embedding[:1])[0, 0, 2].backward()
    assert (classifier.weight.grad.abs().sum(1) > 0).sum() == 1


def test_first_speakers_are_the_first_rows(classifier, embedding):
    first = SubcentreClassifier(8, out_neurons=2, n_subcentres=3)
    first.weight.data = classifier.weight.data[:6]
    assert torch.allclose(first(embedding), classifier(embedding)[..., :2])


@pytest.mark.parametrize("n_subcentres", [0, -3, 1.5, "3", None])
def test_no_number_of_centres_is_refused(n_subcentres):
    with pytest.raises(HyperparameterError, match="n_subcentres is .* as 3"):
        SubcentreClassifier(8, out_neurons=5, n_subcentres=n_subcentres)
