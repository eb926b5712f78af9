"""Data sources, one file each.

A source states `VERSION`, `Parameters` (with a field of the source's own name) and `lock(parameters)`, the
fingerprint of what it names now; `fetch(parameters, fingerprint)`, the splits of exactly that as a
`datasets.DatasetDict`; and, where it can be told cheaply, `fingerprint(parameters)` of what lies there now.
"""
