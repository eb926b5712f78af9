"""Semantic segmentation: its data, its models and regimes, its scores against torchmetrics, what is kept of answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import PIL.Image
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tiny_masks import LABELS, mask_task, scenes, tiny_segmenter
from tiny_tasks import adapt, context, trial

from bench import plugins
from bench.contracts import Question
from bench.data.masks import UNLABELLED
from bench.errors import DataError, ModelError
from bench.modeling.heads.segmenter import segmenter
from bench.modeling.models.facts import Facts
from bench.modeling.models.files import configs
from bench.objectives.masks import SEGMENT
from bench.tasks.semantic_segmentation import SemanticSegmentationParameters
from bench.training import mean_mask
from bench.training.normalising import BatchNorm

kind, objective = plugins.load("tasks", "semantic-segmentation"), plugins.load("objectives", "masks")
mean_iou, pixel_accuracy = plugins.load("metrics", "mean-iou"), plugins.load("metrics", "pixel-accuracy")
COLUMNS = {"image": "image", "mask": "mask"}


def dataset(rows: list[dict[str, Any]]) -> Any:
    return datasets.Dataset.from_list(
        rows, features=datasets.Features({"image": datasets.Image(), "mask": datasets.Image()})
    )


def with_mask(mask: np.ndarray, mode: str | None = None) -> dict[str, Any]:
    made = PIL.Image.fromarray(mask, mode) if mode else PIL.Image.fromarray(mask)
    return {"image": PIL.Image.new("RGB", (mask.shape[1], mask.shape[0])), "mask": made}


def counted(targets: np.ndarray, answers: np.ndarray, classes: int) -> np.ndarray:
    """Confusion counts by definition, [n, classes, classes + 1]."""
    found = np.zeros((len(targets), classes, classes + 1), dtype=np.int64)
    for n, (target, answer) in enumerate(zip(targets, answers, strict=True)):
        for t, a in zip(target.flat, answer.flat, strict=True):
            if t != UNLABELLED:
                found[n, t, a] += 1
    return found


# --- data ---


def test_masks_are_read_by_class_and_stratified_by_the_rarest() -> None:
    rows = scenes(4, 0)
    found = kind.examples(dataset(rows), COLUMNS, SemanticSegmentationParameters(labels=tuple(LABELS)), "t")
    assert [sorted(np.unique(mask)) for mask in found.targets] == [[0, 1, 255], [0, 2, 255]] * 2
    assert found.labels[0] == found.labels[2] != found.labels[1] == found.labels[3]


@pytest.mark.parametrize(
    ("raw", "own", "wanted"),
    [
        ([[0, 1], [2, 255]], {"labels": ("a", "b", "c")}, [[0, 1], [2, 255]]),
        ([[0, 1], [2, 255]], {"labels": ("a", "b"), "reduce_labels": True}, [[255, 0], [1, 255]]),
        ([[7, 11], [0, 3]], {"labels": {"11": "b", "7": "a"}, "ignore": (0, 3)}, [[0, 1], [255, 255]]),
        ([[300, 1], [1, 0]], {"labels": {"300": "x", "1": "y"}, "ignore": (0,)}, [[1, 0], [0, 255]]),
    ],
)
def test_what_numbers_mean(raw: list[list[int]], own: Any, wanted: list[list[int]]) -> None:
    mask = np.array(raw, dtype=np.uint16 if max(map(max, raw)) > 255 else np.uint8)
    found = kind.examples(dataset([with_mask(mask)]), COLUMNS, SemanticSegmentationParameters(**own), "t")
    assert found.targets[0].tolist() == wanted


def test_a_palettes_indices_are_classes() -> None:
    mask = PIL.Image.fromarray(np.array([[0, 1], [1, 0]], dtype=np.uint8), "P")
    mask.putpalette([9, 9, 9, 200, 0, 0])
    rows = [{"image": PIL.Image.new("RGB", (2, 2)), "mask": mask}]
    found = kind.examples(dataset(rows), COLUMNS, SemanticSegmentationParameters(labels=("a", "b")), "t")
    assert found.targets[0].tolist() == [[0, 1], [1, 0]]


def test_every_wrong_row_is_named_at_once() -> None:
    rows = scenes(5, 0)
    rows[1]["mask"] = rows[1]["mask"].resize((3, 3))
    rows[3]["mask"] = PIL.Image.fromarray(np.full((24, 40), 77, dtype=np.uint8))
    rows[4]["mask"] = rows[4]["mask"].convert("RGB")
    with pytest.raises(DataError) as error:
        kind.examples(dataset(rows), COLUMNS, SemanticSegmentationParameters(labels=tuple(LABELS)), "task t")
    said = str(error.value)
    assert "row 1, column 'mask': the mask is 3 × 3 pixels and the image 40 × 24" in said
    assert "row 3, column 'mask': the mask holds 77, which is no class (these are 0 to 2)" in said
    assert "row 4, column 'mask': the mask is in colour (Pillow's mode RGB)" in said


def test_a_column_that_holds_no_images_is_named() -> None:
    rows = datasets.Dataset.from_list([{"image": "a", "mask": 1}])
    with pytest.raises(DataError, match=r"column 'image' holds .*not images"):
        kind.examples(rows, COLUMNS, SemanticSegmentationParameters(labels=("a", "b")), "t")


def test_labels_that_nobody_named_are_numbers() -> None:
    own = SemanticSegmentationParameters()
    assert kind.label_words(dataset(scenes(2, 0)), COLUMNS, own, "t") == ["class 0", "class 1", "class 2"]
    reduced = SemanticSegmentationParameters(reduce_labels=True)
    assert kind.label_words(dataset(scenes(2, 0)), COLUMNS, reduced, "t") == ["class 0", "class 1"]
    with pytest.raises(DataError, match="list them under labels as"):
        kind.label_words(dataset([with_mask(np.zeros((2, 2), dtype=np.uint8))]), COLUMNS, own, "t")


@pytest.mark.parametrize("labels", [("a",), ("a", "a"), {"x": "a", "1": "b"}, {"70000": "a", "1": "b"}])
def test_labels_that_cannot_be_are_refused(labels: Any) -> None:
    with pytest.raises(ValueError, match=r"labels|number"):
        SemanticSegmentationParameters(labels=labels)


def test_masks_under_other_numbers() -> None:
    found = kind.examples(dataset(scenes(2, 0)), COLUMNS, SemanticSegmentationParameters(labels=tuple(LABELS)), "t")
    turned = found.targets.renumbered(np.array([1, 0, 2]))
    assert (turned[0] == 0).sum() == (found.targets[0] == 1).sum() > 0
    assert (turned[0] == UNLABELLED).sum() == (found.targets[0] == UNLABELLED).sum() > 0
    with pytest.raises(DataError, match="class 1 is none of the task's"):
        found.targets.renumbered(np.array([0, -1, 2]))


# --- scores ---

SHAPES = st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5))


@settings(deadline=None, max_examples=40)  # the first call imports torchmetrics
@given(st.data())
def test_scores_are_those_of_torchmetrics(data: Any) -> None:
    from torchmetrics import Accuracy, JaccardIndex

    shape = data.draw(SHAPES)
    targets = data.draw(arrays.arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 2, 3, UNLABELLED])))
    answers = data.draw(arrays.arrays(np.uint8, shape, elements=st.integers(0, 3)))
    if (targets == UNLABELLED).all():
        return
    counts = counted(targets, answers, 4)
    pair = torch.from_numpy(answers).long(), torch.from_numpy(targets).long()
    jaccard = JaccardIndex(task="multiclass", num_classes=4, ignore_index=UNLABELLED, average="macro")
    right = Accuracy(task="multiclass", num_classes=4, ignore_index=UNLABELLED, average="micro")
    seen = counts.sum(axis=2)
    assert mean_iou.score(seen, counts) == pytest.approx(float(jaccard(*pair)), abs=1e-6)
    assert pixel_accuracy.score(seen, counts) == pytest.approx(float(right(*pair)), abs=1e-6)


def test_a_pixel_given_none_of_the_classes_is_wrong_and_counts_against_no_other() -> None:
    counts = np.array([[[3, 0, 1], [0, 4, 0]]])  # one pixel of class 0 is called something else
    assert mean_iou.score(counts.sum(axis=2), counts) == (3 / 4 + 1) / 2
    assert pixel_accuracy.score(counts.sum(axis=2), counts) == 7 / 8


def test_nothing_labelled_scores_nothing() -> None:
    counts = np.zeros((2, 3, 4), dtype=np.int64)
    assert mean_iou.score(counts.sum(axis=2), counts) == pixel_accuracy.score(counts.sum(axis=2), counts) == 0


# --- models ---


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for family in ("segformer", "deeplab"):
        tiny_segmenter(family, folder / family, ["sky", "red", "blue", "sea"])
        tiny_segmenter(family, folder / f"{family}-bare", LABELS, bare=True)
    return folder


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    return mask_task(tmp_path)


def test_the_architectures_are_those_of_transformers() -> None:
    from transformers.models.auto import modeling_auto

    assert {*SEGMENT} == {*modeling_auto.MODEL_FOR_SEMANTIC_SEGMENTATION_MAPPING_NAMES}


@pytest.mark.parametrize(
    ("family", "own", "last"),
    [
        ("beit", {"out_indices": [3, 5, 7, 11]}, "decode_head.classifier"),
        ("data2vec-vision", {}, "decode_head.classifier"),
        ("dpt", {}, "head.head.4"),
        ("mobilevit", {}, "segmentation_head.classifier.convolution"),
        ("upernet", {}, "decode_head.classifier"),
    ],
)
def test_the_layer_that_gives_classes_need_not_be_the_last(
    family: str, own: Any, last: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transformers.PreTrainedModel, "init_weights", lambda self: None)
    drawn: list[torch.Tensor] = []
    monkeypatch.setattr(torch.nn.init, "normal_", lambda tensor, **_: drawn.append(tensor))
    transformers.AutoConfig.for_model(family, **own).save_pretrained(tmp_path)
    with torch.device("meta"):
        model = segmenter(tmp_path, classes=9, pretrained=False, seed=1)
    assert [n for n, p in model.whole.named_parameters() if any(p is one for one in drawn)] == [f"{last}.weight"]


@pytest.mark.parametrize("family", ["segformer", "deeplab"])
def test_all_but_the_last_layer_is_pretrained(family: str, home: Path) -> None:
    pretrained = transformers.AutoModelForSemanticSegmentation.from_pretrained(home / family).state_dict()
    model = segmenter(home / family, classes=3, pretrained=True, seed=1)
    differing = [n for n, v in model.whole.state_dict().items() if not torch.equal(v, pretrained[n])]
    assert differing == [n for n in pretrained if ".classifier." in n]
    assert [type(one) for one in model.new] == [torch.nn.Conv2d]
    other = segmenter(home / family, classes=3, pretrained=True, seed=2).new[0]
    assert not torch.equal(model.new[0].weight, other.weight)


@pytest.mark.parametrize("family", ["segformer", "deeplab"])
def test_without_a_decode_head_the_whole_of_it_is_new(family: str, home: Path) -> None:
    bare = transformers.AutoModel.from_pretrained(home / f"{family}-bare").state_dict()
    model = segmenter(home / f"{family}-bare", classes=3, pretrained=True, seed=1)
    assert all(torch.equal(v, bare[n]) for n, v in model.backbone.state_dict().items())
    assert [*model.new] == [one for name, one in model.whole.named_children() if name != model.part]


def test_a_head_of_which_a_part_is_lacking_is_refused(home: Path, tmp_path: Path) -> None:
    whole = tiny_segmenter("segformer", tmp_path, LABELS)
    weights = {n: v for n, v in whole.state_dict().items() if "linear_fuse" not in n}
    whole.save_pretrained(tmp_path, state_dict=weights)
    with pytest.raises(ModelError, match=r"lack the weights of .*linear_fuse"):
        segmenter(tmp_path, classes=3, pretrained=True, seed=1)


def test_pretrained_statistics_stay_and_new_ones_are_learnt(home: Path) -> None:
    for name, learning in (("deeplab", False), ("deeplab-bare", True)):
        model = segmenter(home / name, classes=3, pretrained=True, seed=1)
        BatchNorm.of(model, "auto", model.new).train(model)
        norms = {n: m for n, m in model.named_modules() if isinstance(m, torch.nn.BatchNorm2d)}
        assert {m.training for n, m in norms.items() if model.part in n} == {False}
        assert {m.training for n, m in norms.items() if model.part not in n} == {learning}
        assert not learning or {m.momentum for n, m in norms.items() if model.part not in n} == {0.1}
    random = segmenter(home / "deeplab", classes=3, pretrained=False, seed=1)
    BatchNorm.of(random, "auto", random.new).train(random)
    assert all(m.training for m in random.modules())


def test_logits_come_to_the_masks_own_size_and_the_image_is_whole(home: Path, task: Any, tmp_path: Path) -> None:
    made, _ = context(trial(home / "segformer", task, "full"), tmp_path / "r")
    encoded = made.features.encoded("test")
    assert encoded.pixels.pixels.shape[2:] == (32, 32)
    assert encoded.mask(0).shape == (24, 40)
    part, model = made.parts["test"], objective.build(made, pretrained=True, frozen=False).eval()
    counts = objective.answer(made, model, part).answers[0]
    processor = transformers.AutoImageProcessor.from_pretrained(home / "segformer")
    for row, source in enumerate(scenes(8, 1)):
        pixels = processor(
            source["image"], do_center_crop=False, size={"height": 32, "width": 32}, return_tensors="pt"
        )["pixel_values"]
        with torch.inference_mode():
            logits = model.whole(pixels).logits
        given = torch.nn.functional.interpolate(logits, (24, 40), mode="bilinear", align_corners=False).argmax(1)
        wanted = counted(np.array(source["mask"])[None], given.numpy(), 3)[0]
        assert np.abs(counts[row] - wanted).sum() <= 4  # pixels on an edge, by the last bit
    assert counts.sum() == objective.targets(made, part).sum() == 8 * 24 * 38


def test_the_loss_is_the_mean_over_labelled_pixels(home: Path, task: Any, tmp_path: Path) -> None:
    made, _ = context(trial(home / "segformer", task, "full"), tmp_path / "r")
    part, model = made.parts["train"], objective.build(made, pretrained=True, frozen=False).eval()
    goal, rows = objective.goal(made, part), np.arange(3)
    encoded = made.features.encoded("train")
    with torch.inference_mode():
        found = goal.loss(model, rows) / goal.weights[rows].sum()
        logits = model(encoded.batch(part.indices[rows], made.device))
        masks = torch.from_numpy(np.stack([encoded.mask(i) for i in part.indices[rows]])).long()
        upsampled = torch.nn.functional.interpolate(logits, (24, 40), mode="bilinear", align_corners=False)
        wanted = torch.nn.functional.cross_entropy(upsampled, masks, ignore_index=UNLABELLED)
    assert float(found) == pytest.approx(float(wanted), rel=1e-5)


@pytest.mark.parametrize(
    ("family", "regime", "own"),
    [
        ("segformer", "full", {}), ("segformer", "lora", {"r": 2}), ("segformer", "partial", {"blocks": 1}),
        ("segformer", "head", {}), ("segformer-bare", "head", {}), ("segformer", "retrain", {}),
        ("deeplab", "full", {}), ("deeplab", "head", {}), ("deeplab", "partial", {"blocks": 2}),
        ("deeplab", "retrain", {}),
    ],
)  # fmt: skip
def test_a_regime_trains_its_part(family: str, regime: str, own: Any, home: Path, task: Any, tmp_path: Path) -> None:
    made, _, adapted = adapt(trial(home / family, task, regime, own), tmp_path / "r")
    part = made.parts["test"]
    answers = adapted.predict(part).answers
    assert not objective.lost(answers).any()
    assert answers.shape == (1, 8, 3, 4)
    assert (adapted.trainable == adapted.total) == (regime in ("full", "retrain"))
    assert 0 < mean_iou.score(objective.targets(made, part), answers[0]) < 1


def test_training_learns_where_the_squares_are(home: Path, task: Any, tmp_path: Path) -> None:
    long = trial(home / "segformer", task, "full", budget={"steps": 80}, tuned={"learning_rate": 0.01}, size="all")
    made, _, adapted = adapt(long, tmp_path / "r")
    part = made.parts["test"]
    targets, answers = objective.targets(made, part), adapted.predict(part).answers
    for of in objective.baselines(made, part).values():
        assert mean_iou.score(targets, answers[0]) > mean_iou.score(targets, of()[0]) + 0.1


# --- without training ---


def question(labels: list[str], label_map: Any = None) -> Question:
    return Question("image", labels, label_map or {}, "masks", ("image", "mask"))


def test_own_masks_wants_a_label_that_fits(home: Path) -> None:
    way = plugins.load("zeroshot", "own-masks")
    facts = Facts.from_files(configs(home / "segformer", "m"))
    assert facts.head == "semantic-segmentation"
    assert facts.labels == ("sky", "red", "blue", "sea")
    assert way.applies(facts, question(LABELS)) is None
    assert "do not fit" in str(way.applies(facts, question(["a", "b"])))
    assert way.applies(facts, question(["a", "b"], {"sea": "b"})) is None
    bare = Facts.from_files(configs(home / "segformer-bare", "m"))
    assert "no head" in str(way.applies(bare, question(LABELS)))


def test_own_masks_are_the_models_own_argmax(home: Path, task: Any, tmp_path: Path) -> None:
    regime = {"kind": "zero-shot", "version": 1, "parameters": {}, "way": "own-masks", "way_version": 1}
    made, _, adapted = adapt(replace(trial(home / "segformer", task, "zero-shot"), regime=regime), tmp_path / "r")
    found = adapted.predict(made.parts["test"])
    assert found.notes == ("the model has no label for ground, which it never answers",)
    assert adapted.facts["label_map"] == {"red": "red", "blue": "blue"}
    whole = transformers.AutoModelForSemanticSegmentation.from_pretrained(home / "segformer").eval()
    encoded = made.features.encoded("test")
    with torch.inference_mode():
        logits = whole(**encoded.batch(np.arange(8), made.device)).logits
        given = torch.nn.functional.interpolate(logits, (24, 40), mode="bilinear", align_corners=False).argmax(1)
    meaning = np.array([3, 1, 2, 3])  # the last column is of none
    wanted = counted(np.stack([encoded.mask(i) for i in range(8)]), meaning[given.numpy()], 3)
    assert np.abs(found.answers[0] - wanted).sum() <= 8


def test_baselines_by_hand(home: Path, task: Any, tmp_path: Path) -> None:
    made, _ = context(trial(home / "segformer", task, "full", size="all"), tmp_path / "r")
    part = made.parts["test"]
    of = objective.baselines(made, part)
    assert {*of} == {"majority", "mean-mask"}
    seen = objective.targets(made, part)
    assert (of["majority"]()[0][:, :, 0] == seen).all()  # all ground
    train = np.stack([np.array(row["mask"]) for row in scenes(24, 0)])
    counts = np.stack([(train == c).sum(axis=0) for c in range(3)])
    mean = counts.argmax(axis=0)
    tested = np.stack([np.array(row["mask"]) for row in scenes(8, 1)])
    assert (of["mean-mask"]()[0] == counted(tested, np.broadcast_to(mean, tested.shape), 3)).all()
    blind, _ = context(trial(home / "segformer", task, "zero-shot"), tmp_path / "b")
    assert objective.baselines(blind, part) == {}


def test_a_mask_at_another_size_takes_the_nearest_pixel() -> None:
    mask = np.arange(4).reshape(2, 2)
    assert mean_mask.resized(mask, (4, 4)).tolist() == np.kron(mask, np.ones((2, 2), dtype=int)).tolist()
    assert mean_mask.resized(mean_mask.resized(mask, (6, 6)), (2, 2)).tolist() == mask.tolist()


def test_what_is_no_number_is_lost_and_what_is_alike_is_seen() -> None:
    answers = np.ones((1, 3, 2, 3), dtype=np.int32)
    assert objective.lost(answers).tolist() == [False] * 3
    assert not objective.constant(answers)
    answers[0, 1] = -1
    assert objective.lost(answers).tolist() == [False, True, False]
    assert objective.constant(np.array([[[[5, 0, 0], [2, 0, 0]]] * 2]))
    assert objective.doubt(np.array([[2, 2]]), np.array([[[[1, 1, 0], [0, 2, 0]]]])) == 0.25


def test_a_processor_without_one_size_asks_for_it(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    tiny_segmenter("segformer", tmp_path / "m", LABELS)
    transformers.ViTImageProcessor(size={"shortest_edge": 40}).save_pretrained(tmp_path / "m")
    made, _ = context(trial(tmp_path / "m", mask_task(tmp_path), "full"), tmp_path / "r")
    with pytest.raises(ModelError, match=r"give the task `size: \[height, width\]`"):
        made.features.encoded("test")
    made, _ = context(trial(tmp_path / "m", mask_task(tmp_path, size=[16, 24]), "full"), tmp_path / "r")
    assert made.features.encoded("test").pixels.pixels.shape[2:] == (16, 24)


def test_masks_of_several_sizes(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    asked = mask_task(tmp_path, tests=scenes(6, 1) + scenes(2, 2, (50, 20)))
    made, _, adapted = adapt(trial(home / "segformer", asked, "full"), tmp_path / "r")
    part = made.parts["test"]
    answers = adapted.predict(part).answers
    assert answers.sum(axis=(0, 2, 3)).tolist() == [24 * 38] * 6 + [50 * 18] * 2
    for of in objective.baselines(made, part).values():
        assert of().sum(axis=(0, 2, 3)).tolist() == [24 * 38] * 6 + [50 * 18] * 2
