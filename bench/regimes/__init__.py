"""Regimes, one file each: one way to adapt a model.

A regime states `VERSION`, `Parameters` (a `RegimeParameters`), `TUNED` (what tuning searches, or None), `LABELS`
(whether it learns from labels), `TRAINS` (whether by gradient, and so has a budget), where it needs one feature vector
an example `POOLED = True`, where it learns from labels and fills the task's templates `PROMPTS = True`, and

    adapt(job, parameters) -> Adapted         make the model ready for its task

and where it needs them

    resolve(facts, question, parameters)      what else the trial must hold, or NotApplicable; torch-free
    check(parameters)                         what only a heavy library can judge, called before anything is trained
"""
