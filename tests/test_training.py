"""Training on small data that can be learned, what is measured afterwards, and what is said meanwhile."""

import doctest
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import course_lib.training
from course_lib.data import load_mnist
from course_lib.models import MLP, LeNet5, MnistCNN
from course_lib.training import (
    WEIGHT_DECAY,
    History,
    Mistake,
    as_input,
    best_device,
    confusion_matrix,
    evaluate,
    predict,
    train,
    worst_mistakes,
)


def bars(count, seed=0):
    """Gray images (count, 6, 8) with a bright row (class 0) or a bright column (class 1), and noise."""
    generator = np.random.default_rng(seed)
    images, labels = generator.integers(0, 60, (count, 6, 8)).astype(np.uint8), generator.integers(0, 2, count)
    for image, label in zip(images, labels, strict=True):
        image[(slice(None), generator.integers(8)) if label else generator.integers(6)] = 255
    return images, labels


def standardized(images):
    """Bytes as the networks get them, from the known mean and deviation of MNIST's pixels between 0 and 1."""
    return ((images / 255 - 0.1306605) / 0.3081078).astype(np.float32)


def small_network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Dropout(0.2), nn.Linear(4 * 6 * 8, 2))


def weights(model):
    return [parameter.detach().cpu().clone() for parameter in model.parameters()]


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.fixture
def quick():
    """Options of `train` that are the same on every machine and say nothing."""
    return {"device": "cpu", "progress": False}


# --- training ---


def test_it_learns(quick):
    model = small_network()
    history = train(model, *bars(600), epochs=4, batch_size=32, **quick)
    assert evaluate(model, *bars(300, seed=1)) > 0.95
    assert history.losses[-10:].mean() < 0.6 * history.losses[:5].mean()
    assert history.train_accuracy[-1] > history.train_accuracy[0]


@pytest.mark.parametrize(("network", "least"), [(MLP, 0.85), (LeNet5, 0.85), (MnistCNN, 0.85)])
def test_it_learns_digits(network, least, quick):
    images, labels = load_mnist("train")
    torch.manual_seed(0)
    model = network()
    train(model, images[:2000], labels[:2000], epochs=3, batch_size=64, **quick)
    assert evaluate(model, images[-1000:], labels[-1000:]) > least


def test_the_history_has_a_loss_for_each_step_and_an_accuracy_for_each_epoch(quick):
    data, test = bars(70), bars(40, seed=1)
    model = small_network()
    history = train(model, *data, epochs=2, batch_size=32, test=test, **quick)
    assert isinstance(history, History)
    assert history.losses.shape == (2 * 3,)
    assert (history.epochs, len(history.train_accuracy), len(history.test_accuracy)) == (2, 2, 2)
    assert history.test_accuracy[-1] == evaluate(model, *test)
    assert history.seconds > 0


def test_without_a_test_there_is_no_test_accuracy(quick):
    assert train(small_network(), *bars(20), epochs=1, **quick).test_accuracy == ()


def test_the_first_loss_is_that_of_the_network_as_it_came(quick):
    images, labels = bars(32)
    model = small_network()
    model[3].p = 0.0
    x = torch.from_numpy(standardized(images)[:, None])
    with torch.no_grad():
        expected = F.cross_entropy(model(x), torch.from_numpy(labels)).item()
    assert train(model, images, labels, epochs=1, batch_size=32, jitter=0, **quick).losses[0] == pytest.approx(expected, rel=1e-5)


def test_a_step_is_gradient_descent_with_the_learning_rate_of_the_cycle(quick):
    images, labels = bars(16)
    ours, theirs = nn.Sequential(nn.Flatten(), nn.Linear(48, 2)), nn.Sequential(nn.Flatten(), nn.Linear(48, 2))
    theirs.load_state_dict(ours.state_dict())
    train(ours, images, labels, epochs=5, batch_size=16, learning_rate=0.02, jitter=0, **quick)
    x, y = torch.from_numpy(standardized(images)[:, None]), torch.from_numpy(labels)
    descent = torch.optim.SGD(theirs.parameters(), 0.02, momentum=0.9, nesterov=True, weight_decay=WEIGHT_DECAY)
    cycle = torch.optim.lr_scheduler.OneCycleLR(descent, 0.02, total_steps=5)
    for _ in range(5):  # the whole data in each step: the order plays no part
        descent.zero_grad()
        F.cross_entropy(theirs(x), y).backward()
        descent.step()
        cycle.step()
    for a, b in zip(weights(ours), weights(theirs), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


class Watching(nn.Linear):
    """Keeps what it is given."""

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.seen = []

    def forward(self, x):
        self.seen.append(x.detach().clone())
        return super().forward(x.flatten(1))


@pytest.mark.parametrize("jitter", [0, 1, 2])
@pytest.mark.parametrize("background", [0.0, -0.5])
def test_a_batch_is_moved_by_whole_pixels_and_its_background_moves_in(jitter, background, quick):
    images = np.full((40, 7, 8), background, np.float32)
    images[:, 3, 4] = np.arange(1, 41)
    model = Watching(56, 2)
    train(model, images, np.zeros(40, int), epochs=2, batch_size=2, jitter=jitter, **quick)
    moves = set()
    for batch in model.seen:
        assert batch.shape[1:] == (1, 7, 8)
        places = [tuple((image[0] > background).nonzero()[0].tolist()) for image in batch]
        assert len(set(places)) == 1  # a batch moves as one
        moves.add((places[0][0] - 3, places[0][1] - 4))
        assert ((batch > background).sum((1, 2, 3)) == 1).all()
    possible = {(down, right) for down in range(-jitter, jitter + 1) for right in range(-jitter, jitter + 1)}
    assert moves <= possible
    assert len(moves) > 0.5 * len(possible)


def test_every_image_comes_once_an_epoch_in_steps_of_equal_size(quick):
    images = np.arange(50, dtype=np.float32)[:, None] * np.ones((1, 2), np.float32)
    model = Watching(2, 2)
    train(model, images, np.zeros(50, int), epochs=2, batch_size=16, **quick)
    seen = [batch[:, 0] for batch in model.seen]
    assert [len(batch) for batch in seen] == [13, 13, 12, 12] * 2
    first, second = torch.cat(seen[:4]), torch.cat(seen[4:])
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(50))
    assert not torch.equal(first, second)


def test_the_same_seed_gives_the_same_network(quick):
    data = bars(100)
    runs = []
    for _ in range(2):
        model = small_network()
        history = train(model, *data, epochs=2, batch_size=16, seed=3, **quick)
        runs.append((weights(model), history.losses))
        torch.rand(7)  # what was drawn in between plays no part
    assert same(runs[0][0], runs[1][0])
    np.testing.assert_array_equal(runs[0][1], runs[1][1])


def test_another_seed_gives_another_network(quick):
    models = [small_network(), small_network()]
    for seed, model in enumerate(models):
        train(model, *bars(100), epochs=1, batch_size=16, seed=seed, **quick)
    assert not same(weights(models[0]), weights(models[1]))


def test_torchs_own_random_numbers_go_on(quick):
    torch.manual_seed(5)
    expected = torch.rand(3)
    model = small_network()
    torch.manual_seed(5)
    train(model, *bars(40), epochs=1, **quick)
    assert torch.equal(torch.rand(3), expected)


def test_dropout_is_on_while_training_and_off_while_testing(quick):
    modes = []

    class Noting(nn.Flatten):
        def forward(self, x):
            modes.append(self.training)
            return super().forward(x)

    model = nn.Sequential(Noting(), nn.Linear(48, 2)).eval()
    train(model, *bars(30), epochs=2, batch_size=30, test=bars(10), **quick)
    assert modes == [True, False, True, False]


def test_the_data_are_left_alone(quick):
    images, labels = bars(40)
    before = images.copy(), labels.copy()
    train(small_network(), images, labels, epochs=1, test=(images, labels), **quick)
    np.testing.assert_array_equal(images, before[0])
    np.testing.assert_array_equal(labels, before[1])


def forms_of(images):
    """The same images in every form that is taken."""
    floats = standardized(images)
    read_only = images.copy()
    read_only.flags.writeable = False
    return {
        "bytes": images,
        "with a channel": images[:, None],
        "floats": floats,
        "doubles": floats.astype(np.float64),
        "a tensor": torch.from_numpy(floats),
        "a tensor of bytes": torch.from_numpy(images),
        "read-only": read_only,
        "steps back": np.ascontiguousarray(images[::-1, :, ::-1])[::-1, :, ::-1],
        "a list": floats.tolist(),
    }


@pytest.mark.parametrize("form", list(forms_of(bars(2)[0])))
@pytest.mark.filterwarnings("error")
def test_images_in_any_form(form, quick):
    images, labels = bars(30)
    expected, got = small_network(), small_network()
    train(expected, images, labels, epochs=1, batch_size=10, **quick)
    train(got, forms_of(images)[form], labels.tolist(), epochs=1, batch_size=10, **quick)
    for a, b in zip(weights(got), weights(expected), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(predict(got, forms_of(images)[form]), predict(got, images), rtol=1e-4, atol=1e-6)


def test_a_network_of_doubles_is_trained_in_doubles(quick):
    model = small_network().double()
    train(model, *bars(30), epochs=1, **quick)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float64}


@pytest.mark.parametrize(
    ("images", "labels", "options", "message"),
    [
        (np.zeros((4, 6, 8)), np.zeros(3, int), {}, "every image needs one label, got 4 in images and 3 in labels"),
        (np.zeros((4, 6, 8)), np.zeros(4), {}, r"labels must be whole numbers of shape \(N,\), got torch.float64 of shape \(4,\)"),
        (np.zeros((4, 6, 8)), np.zeros((4, 2), int), {}, r"labels must be whole numbers of shape \(N,\).*\(4, 2\)"),
        (np.zeros((0, 6, 8)), np.zeros(0, int), {}, r"N at least 1, got \(0, 6, 8\)"),
        (np.zeros(8), np.zeros(8, int), {}, r"images must have shape .*got \(8,\)"),
        (np.zeros((4, 6, 8), int), np.zeros(4, int), {}, "images must be bytes .* got torch.int64"),
        (np.zeros((4, 6, 8)), np.zeros(4, int), {"epochs": 0}, "epochs must be at least 1, got 0"),
        (np.zeros((4, 6, 8)), np.zeros(4, int), {"batch_size": 2.5}, "batch_size must be a whole number, got 2.5"),
        (np.zeros((4, 6, 8)), np.zeros(4, int), {"jitter": -1}, "jitter must be at least 0, got -1"),
        (np.zeros((4, 6, 8)), np.zeros(4, int), {"learning_rate": -1}, "learning_rate must be more than 0, got -1"),
        (np.zeros((4, 6, 8)), np.zeros(4, int), {"test": (np.zeros((2, 6, 8)), [1])}, r"got 2 in test\[0\] and 1 in test\[1\]"),
    ],
)
def test_train_says_what_it_wants(images, labels, options, message, quick):
    with pytest.raises(ValueError, match=message):
        train(small_network(), images, labels, **options, **quick)


# --- what goes in ---


def test_digits_are_standardized():
    x = as_input(load_mnist("train")[0])
    assert (x.shape, x.dtype) == ((60_000, 1, 28, 28), torch.float32)
    assert abs(x.mean().item()) < 1e-3
    assert abs(x.std().item() - 1) < 1e-3


def test_floats_go_in_as_they_are():
    x = np.random.default_rng(0).normal(size=(3, 2, 5, 4))
    torch.testing.assert_close(as_input(x), torch.tensor(x, dtype=torch.float32))


def test_as_input_wants_bytes_or_floats():
    with pytest.raises(ValueError, match=r"images must be bytes .* got torch.int64"):
        as_input(np.zeros((2, 3, 3), int))


# --- devices ---


@pytest.mark.parametrize(("cuda", "mps", "expected"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")])
def test_best_device(cuda, mps, expected, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert best_device() == torch.device(expected)


def test_the_best_device_is_used():
    model = small_network()
    train(model, *bars(20), epochs=1, progress=False)
    assert {parameter.device.type for parameter in model.parameters()} == {best_device().type}
    assert predict(model, bars(5)[0]).shape == (5, 2)


# --- what is measured afterwards ---


def test_predict_gives_probabilities(quick):
    images, _ = bars(25)
    model = small_network().eval()
    with torch.no_grad():
        expected = model(torch.from_numpy(standardized(images)[:, None])).softmax(1).numpy()
    probabilities = predict(model, images, batch_size=7)
    assert (probabilities.shape, probabilities.dtype) == ((25, 2), np.float64)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-12)


def test_predict_keeps_hopeless_classes_above_zero():
    model = nn.Linear(1, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[300.0], [-300.0]]))
        model.bias.zero_()
    assert 0 < predict(model, np.ones((1, 1)))[0, 1] < 1e-200


def test_predict_leaves_the_network_as_it_was():
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(48), nn.Dropout(0.5), nn.Linear(48, 2)).train()
    model[2].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first, second = (predict(model, bars(9)[0]) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert [module.training for module in model] == [True, True, False, True]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_evaluate_is_the_share_that_is_right():
    class First(nn.Module):
        def forward(self, x):
            return x.flatten(1)[:, :3]

    images = np.eye(3, dtype=np.float32)[[0, 1, 2, 2]]
    assert evaluate(First(), images, [0, 1, 2, 0]) == 0.75
    assert isinstance(evaluate(First(), images, [0, 1, 2, 0]), float)


def test_evaluate_wants_a_label_for_each_image():
    with pytest.raises(ValueError, match="got 3 in images and 1 in labels"):
        evaluate(small_network(), bars(3)[0], [1])


def test_confusion_matrix_counts_pairs():
    generator = np.random.default_rng(0)
    labels, predicted = generator.integers(0, 4, 200), generator.integers(0, 3, 200)
    counts = confusion_matrix(labels, predicted, classes=5)
    assert counts.shape == (5, 5)
    pairs = list(zip(labels.tolist(), predicted.tolist(), strict=True))
    assert all(counts[row, column] == pairs.count((row, column)) for row in range(5) for column in range(5))


def test_confusion_matrix_of_bytes_does_not_overflow():
    assert confusion_matrix(np.full(3, 9, np.uint8), np.full(3, 9, np.uint8), classes=200)[9, 9] == 3
    assert confusion_matrix(np.full(3, 199, np.uint8), np.full(3, 9, np.uint8), classes=200)[199, 9] == 3


@pytest.mark.parametrize(
    ("labels", "predicted", "message"),
    [
        ([0, 1], [0], "the same images, got 2 and 1"),
        ([0, 10], [0, 1], "labels must be classes from 0 to 9, got 0 to 10"),
        ([0, 1], [0, -1], "predicted must be classes from 0 to 9, got -1 to 0"),
        ([0, 1], [0.0, 1.0], "predicted must be whole numbers of shape"),
        ([[0], [1]], [0, 1], r"labels must be whole numbers of shape \(N,\), got int64 of shape \(2, 1\)"),
    ],
)
def test_confusion_matrix_says_what_it_wants(labels, predicted, message):
    with pytest.raises(ValueError, match=message):
        confusion_matrix(labels, predicted)


PROBABILITIES = [[0.7, 0.2, 0.1], [0.05, 0.9, 0.05], [0.1, 0.3, 0.6], [0.5, 0.5, 0.0], [0.0, 1.0, 0.0]]


def test_worst_mistakes_come_worst_first():
    found = worst_mistakes(PROBABILITIES, [0, 0, 1, 1, 2])
    assert [mistake.index for mistake in found] == [4, 1, 2, 3]
    assert found[0] == Mistake(4, label=2, predicted=1, confidence=1.0, loss=math.inf)
    assert found[1][:4] == (1, 0, 1, 0.9)
    assert found[1].loss == pytest.approx(-math.log(0.05))


def test_worst_mistakes_are_as_many_as_asked_for():
    assert [mistake.index for mistake in worst_mistakes(PROBABILITIES, [0, 0, 1, 1, 2], count=2)] == [4, 1]
    assert worst_mistakes(PROBABILITIES, [0, 1, 2, 0, 1]) == []


@pytest.mark.parametrize(
    ("probabilities", "labels", "message"),
    [
        ([0.5, 0.5], [0], r"shape \(N, classes\), as predict gives them, got \(2,\)"),
        (PROBABILITIES, [0, 1], "the same images, got 5 and 2"),
        (PROBABILITIES, [0, 1, 2, 0, 3], "labels must be classes from 0 to 2, got 0 to 3"),
    ],
)
def test_worst_mistakes_says_what_it_wants(probabilities, labels, message):
    with pytest.raises(ValueError, match=message):
        worst_mistakes(probabilities, labels)


def test_the_example_in_the_docstring():
    result = doctest.testmod(course_lib.training)
    assert result.attempted > 0
    assert result.failed == 0


# --- what is said meanwhile ---


def test_outside_a_notebook_there_is_a_line_for_each_epoch(capsys):
    train(small_network(), *bars(40), epochs=2, test=bars(10), device="cpu")
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("epoch 1: loss 0.")
    assert "training accuracy" in second
    assert "test accuracy" in second


def test_without_progress_nothing_is_said(capsys, quick):
    train(small_network(), *bars(40), epochs=1, **quick)
    assert capsys.readouterr() == ("", "")


class Notebook:
    """Stands in for IPython: keeps what is displayed."""

    def __init__(self, monkeypatch):
        import IPython

        self.shown = []
        shell = type("Shell", (), {"kernel": object()})()
        monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
        monkeypatch.setattr("IPython.display.display", self.display)

    def display(self, bundle, *, raw, display_id):
        assert raw
        assert display_id is True
        self.shown.append(bundle)
        return self

    def update(self, bundle, *, raw):
        assert raw
        self.shown.append(bundle)


def test_in_a_notebook_a_bar_grows_and_is_gone_at_the_end(monkeypatch, capsys):
    monkeypatch.setattr(course_lib.training._Progress, "EVERY", 0.0)
    notebook = Notebook(monkeypatch)
    train(small_network(), *bars(40), epochs=2, batch_size=10, device="cpu")
    values = [bundle["text/html"].split('value="')[1].split('"')[0] for bundle in notebook.shown if "<progress" in bundle["text/html"]]
    assert values == [str(number) for number in range(9)]
    last = notebook.shown[-1]
    assert last["text/plain"].splitlines()[-1].startswith("epoch 2: loss ")
    assert "epoch 1: loss" in last["text/html"]
    assert "<progress" not in last["text/html"]
    assert capsys.readouterr().out == ""


def test_the_bar_moves_a_few_times_a_second_at_most(monkeypatch):
    monkeypatch.setattr(course_lib.training._Progress, "EVERY", 1000.0)
    notebook = Notebook(monkeypatch)
    train(small_network(), *bars(400), epochs=1, batch_size=10, device="cpu")
    assert len(notebook.shown) <= 3


def test_while_a_notebook_is_graded_there_are_lines_alone(monkeypatch, capsys):
    notebook = Notebook(monkeypatch)
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    train(small_network(), *bars(40), epochs=1, device="cpu")
    assert notebook.shown == []
    assert len(capsys.readouterr().out.splitlines()) == 1
