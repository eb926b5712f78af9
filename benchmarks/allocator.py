"""How much faster a convolutional network trains on a CPU where freed memory is kept: steps of MobileNetV2, batch 16.

    python benchmarks/allocator.py

Three pairs of processes: one has glibc's defaults, the other what a trial has (`bench/probes/allocator.py`).
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time

STEPS = 5


def measure() -> None:
    """Seconds a step, and the kernel's share of them."""
    import torch
    import transformers

    torch.set_num_threads(1)
    config = transformers.AutoConfig.for_model("mobilenet_v2", image_size=224)
    model = transformers.AutoModelForImageClassification.from_config(config).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    images = torch.randn(16, 3, 224, 224)
    for step in range(STEPS + 1):
        if step == 1:  # the first makes what the others reuse
            begun, kernel = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_stime
        model(pixel_values=images).logits.square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    spent = resource.getrusage(resource.RUSAGE_SELF).ru_stime - kernel
    print((time.perf_counter() - begun) / STEPS, spent / STEPS)


def main() -> None:
    """Run the pairs and print their medians and ratio."""
    if len(sys.argv) > 1:
        if sys.argv[1] == "kept":
            from bench.probes.allocator import keep_freed

            keep_freed()
        measure()
        return
    found: dict[str, list[tuple[float, float]]] = {"default": [], "kept": []}
    for _ in range(3):
        for name, results in found.items():
            done = subprocess.run([sys.executable, __file__, name], check=True, capture_output=True, text=True)
            step, kernel = map(float, done.stdout.split())
            results.append((step, kernel))
    for name, results in found.items():
        step, kernel = (statistics.median(values) for values in zip(*results, strict=True))
        print(f"{name:8} {step:.2f} s a step, {kernel:.2f} of it in the kernel")
    ratios = [a / b for (a, _), (b, _) in zip(*found.values(), strict=True)]
    print(f"kept is {statistics.median(ratios):.2f} times as fast ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
