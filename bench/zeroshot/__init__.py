"""Ways of answering without training, one file each: see `bench.contracts.ZeroShotWay`.

A way that gives each label a log-probability derives from `bench.modeling.inference.label_scoring.LabelScoring`, which
forgetting asks too; base classes of others stand beside it.
"""
