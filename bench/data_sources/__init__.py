"""Data sources, one file each.

A source states `VERSION`, `Parameters` (with a field of the source's own name) and `lock(parameters)`, which gives the
`fingerprint` of what it names now, and `remarks` where there is something to say of it; `fetch(parameters,
fingerprint)`, the splits of exactly that as a `datasets.DatasetDict`; and, where it can be told cheaply,
`fingerprint(parameters)` of what lies there now, and `places(parameters, split, rows)`, where in a file rows stand.
"""
