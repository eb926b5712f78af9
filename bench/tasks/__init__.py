"""Task kinds, one file each: what its examples are, how a model takes them, and what is compared.

A task kind states `VERSION`, `MODALITY` ("text" or "image"), `GIVES` (its objective), `METRIC` (the default), `COLUMNS`
({name: required}; where one stands for others, `INSTEAD`: {name: those}), `Parameters`, and `examples(dataset, columns,
parameters, place)` and `encode(folder, examples, parameters, target)` with `load(target)`, the two halves of what is
cached. Where not every model can do what its parameters ask, `refuses(facts, parameters)`, None or why not; torch-free.
One that `bench init` is to recognise has `recognise(table)`: a `bench.data.column_kinds.Fit`, or None.
`SEVERAL` names the roles that several columns may play, their names separated by commas. Where a split that answers are
only compared with needs less than one that is learnt from, `test_examples` takes the place of `examples`.

One with labels has `label_words(dataset, columns, parameters, place)`, and its `Parameters` have `words()`. One whose
answers are texts states `BASELINE` and `baseline(source)`, what takes no model, and may state `SYSTEM`, what a model
behind an endpoint is told.
"""
