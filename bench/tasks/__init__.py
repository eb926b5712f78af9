"""Task kinds, one file each: what its examples are, how a model takes them, and what is compared.

A task kind states `VERSION`, `MODALITY` ("text" or "image"), `GIVES` (its objective), `METRIC` (the default), `COLUMNS`
({name: required}; where one stands for others, `INSTEAD`: {name: those}), `Parameters`, and `examples(dataset, columns,
parameters, place)` and `encode(folder, examples, parameters, target)` with `load(target)`, the two halves of what is
cached.
"""
