"""Task kinds, one file each: what its examples are, how a model takes them, and what is compared.

Each file holds one `bench.contracts.TaskKind`. Kinds that share how their examples are read and encoded derive from
`bench.modeling.encoding.text_inputs.TextInputs` or `bench.modeling.encoding.references.GenerationTask`.
"""
