"""A user's own tiny networks: their file, and what a suite says of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

SOURCE = '''
import torch
from torch import nn

class Net(nn.Module):
    """Two convolutions, and a buffer that no file holds."""
    def __init__(self, classes=2, dropout=0.0):
        super().__init__()
        width = int(torch.linspace(4, 8, 3)[-1].item())
        self.first = nn.Conv2d(3, 6, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(6)
        self.second = nn.Conv2d(6, width, 3, 2)
        self.drop = nn.Dropout(dropout)
        self.register_buffer("gain", torch.full((1,), 3.0), persistent=False)
        self.fc = nn.Linear(width, classes)

    def forward(self, x):
        x = torch.relu(self.norm(self.first(x)))
        x = torch.relu(self.second(x)) * self.gain
        return self.fc(self.drop(x.mean((2, 3))))

def net(classes=2, dropout=0.0):
    return Net(classes, dropout)

def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(8 * 8, 5), nn.ReLU(), nn.Linear(5, 2))

def softmax():
    return nn.Sequential(net(), nn.Softmax(1))

def no_linear():
    return nn.Sequential(nn.Conv2d(3, 2, 16), nn.Flatten())

def maps():
    return nn.Conv2d(3, 2, 1)

def raising():
    raise ValueError("no such size")

def number():
    return 3
'''


def source(folder: Path) -> Path:
    """The file of the networks."""
    path = folder / "models.py"
    path.write_text(SOURCE)
    return path


def functions() -> dict[str, Any]:
    """What the file defines, for scripts to compare with."""
    space: dict[str, Any] = {}
    exec(SOURCE, space)
    return space


def network(folder: Path, function: str = "net", **more: Any) -> tuple[str, dict[str, Any]]:
    """A model of the source `python`, with weights in a file; a mean and a std for each channel. more: other keys."""
    folder.mkdir(exist_ok=True)
    path, weights = source(folder), folder / "weights.safetensors"
    made = functions()[function]
    if function in ("net", "mlp"):
        torch.manual_seed(5)
        whole = made()
        for module in whole.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                torch.nn.init.uniform_(module.running_mean)
                torch.nn.init.uniform_(module.running_var, 0.5, 2)
        save_file(whole.state_dict(), weights)
        more = {"weights": str(weights), **more}
    seen = {"size": 16, "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.4]}
    return "python", {"python": f"{path}:{function}", "input": seen, "labels": ["dark", "light"], **more}
