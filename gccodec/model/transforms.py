"""The two transforms at run time: loaded from a weights file, on a device, in its best precision."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from gccodec.entropy.weights import WeightsFile
from gccodec.errors import WeightsError
from gccodec.model.analysis import Analysis
from gccodec.model.config import QUALITY_MAX, ModelConfig
from gccodec.model.gain import GainUnit
from gccodec.model.generator import Generator
from gccodec.model.precision import autocast


class Transforms(nn.Module):
    """Analysis, gain unit and generator, frozen."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.analysis = Analysis(config)
        self.gain = GainUnit(config.latent_channels, config.quality_nodes)
        self.generator = Generator(config)

    @classmethod
    def load(cls, weights: WeightsFile, device: torch.device) -> Transforms:
        """Build from a weights file; WeightsError when names or shapes do not fit its configuration."""
        try:
            transforms = cls(ModelConfig.from_json(weights.config))
            state = {n: torch.from_numpy(np.asarray(weights.arrays[n], np.float32)) for n in transforms.state_dict()}
            transforms.load_state_dict(state)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise WeightsError(f"{weights.path}: does not fit its configuration ({reason})") from error
        return transforms.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)

    @property
    def device(self) -> torch.device:
        return self.gain.log_gain.device

    def _quality(self, quality: int) -> Tensor:
        return torch.full((1,), quality / QUALITY_MAX, device=self.device)

    @torch.inference_mode()
    def analyse(self, x: Tensor, quality: int) -> Tensor:
        """x [1, 3, H, W] in [0, 1], sides multiples of 16 -> y [1, C, H/16, W/16] in quantization steps, float32."""
        q = self._quality(quality)
        with autocast(self.device):
            y = self.analysis(x.to(self.device), q)
        return y.float() * self.gain(q)

    @torch.inference_mode()
    def generate(self, latent: Tensor, quality: int, realism: float = 0.0) -> Tensor:
        """latent [1, C, h, w] in quantization steps -> x_hat [1, 3, 16 h, 16 w], float32 in [0, 1]."""
        q = self._quality(quality)
        with autocast(self.device):
            x_hat = self.generator(latent.to(self.device) / self.gain(q), q, torch.full_like(q, realism))
        return x_hat.float().clamp(0, 1)
