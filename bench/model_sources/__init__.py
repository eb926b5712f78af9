"""Model sources, one file each.

A source states `VERSION`, `Parameters` (a `ModelParameters` with a field of the source's own name) and
`lock(parameters)`, the fingerprint and the config files of what it names now; `fetch(parameters, fingerprint)`, the
local folder of exactly that; and, where it can be told cheaply, `fingerprint(parameters)` of what lies there now.
`LOCAL = False` says that its models run elsewhere; `Parameters.PLACES` names what is no part of a trial's id.
"""
