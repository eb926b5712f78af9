"""Must a pretrained model be trained again for a task, and how? `bench.api` is what to call from Python."""
