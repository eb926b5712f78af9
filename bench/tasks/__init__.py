"""Task kinds, one file each: what its examples are, how a model takes them, and what is compared.

A task kind states `VERSION`, `MODALITY` ("text" or "image"), `METRIC` (the default), `GIVES` (what its answers are, as
metrics' `TAKES`), `COLUMNS` ({name: required}), `Parameters`, and `examples(dataset, columns, parameters, place)` and
`encode(folder, examples, parameters, target)` with `load(target)`, the two halves of what is cached.
"""
