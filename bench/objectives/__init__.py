"""Objectives, one file each: what a model is trained to answer, and how its answers are read.

A task kind names its objective (`OBJECTIVE`), and a metric the form of answers it judges (`TAKES`). An objective states
`VERSION`, `ANSWERS` (the form of its answers), `TARGETS` ("classes", or "rows": a part's labels say which row's target
an example has), `POOLED` (whether it answers from one pooled feature vector an example, which a linear probe needs),
`NOISE` (whether targets can be made wrong), `applies(facts)` (None, or why a model cannot be trained for it), and works
on a `bench.training.job.Job`:

    build(job, pretrained, frozen)   a new model; its `backbone` is what regimes freeze or wrap
    blocks(model)                    the stack of blocks that `partial` freezes from below, or None
    goal(job, part)                  what training minimises (`bench.training.loss.Goal`)
    answer(job, model, part)         [templates][n] answers of the trained model
    targets(job, part)               [n] what they are judged by
    baselines(job, part)             {name: a function that gives [1][n] answers that take no model, None where there
                                     are none}
    lost(answers)                    bool [n]: which are no answers at all
    constant(answers)                whether several examples all got the same
    doubt(targets, answers)          a number to break ties by: of equal scores the lowest wins
    columns(targets, answers)        what predictions.parquet keeps, each [templates × n]

and where the first example may be empty

    one(job, part)                   the part of one example whose latency is measured

and where a target is no text, and few-shot has one stand in a prompt

    said(source, target)             the target in words

and where it is `POOLED`

    solve(job, part, features, C, iterations)
                                     a linear model fitted to a part's features [n, width], dense or sparse: what makes
                                     of others their answers ([1][n]), and remarks. C: the inverse strength of its L2
                                     penalty
"""
