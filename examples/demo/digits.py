"""A two-layer network that reads handwritten digits, in plain NumPy.

The data are the 1,797 images of 8 x 8 pixels that scikit-learn ships. Nothing here is written for
Myia: `loss` is the function a textbook would give, and the training loop is mini-batch gradient
descent with momentum.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from myia import value_and_grad


def scores(layers, images):
    for depth, (weight, bias) in enumerate(layers):
        images = images @ weight + bias
        if depth < len(layers) - 1:
            images = np.tanh(images)
    return images


def loss(layers, images, labels):
    z = scores(layers, images)
    z = z - z.max(axis=1, keepdims=True)
    log_total = np.log(np.exp(z).sum(axis=1))
    return np.mean(log_total - z[np.arange(len(labels)), labels])


step = value_and_grad(loss)


@dataclass(frozen=True)
class Digits:
    """Images as rows of 64 pixels between 0 and 1; a quarter is kept for the test."""

    train_images: np.ndarray
    test_images: np.ndarray
    train_labels: np.ndarray
    test_labels: np.ndarray


def load() -> Digits:
    images, labels = load_digits(return_X_y=True)
    return Digits(*train_test_split(images / 16.0, labels, test_size=0.25, random_state=0, stratify=labels))


def new_layers(rng: np.random.Generator, sizes: tuple[int, ...] = (64, 64, 10)) -> list:
    """A list of (weight, bias), one pair a layer."""
    return [
        (rng.normal(size=(inputs, outputs)) / np.sqrt(inputs), np.zeros(outputs))
        for inputs, outputs in itertools.pairwise(sizes)
    ]


def accuracy(layers: list, images: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean(scores(layers, images).argmax(axis=1) == labels))


def train(
    layers: list, data: Digits, rng: np.random.Generator, epochs: int, batch: int = 32
) -> Iterator[tuple[list[float], float]]:
    """Improve `layers` in place; after each epoch, give the losses of its steps and the test accuracy."""
    rate, momentum = 0.1, 0.9
    velocities = [(np.zeros_like(weight), np.zeros_like(bias)) for weight, bias in layers]
    for _ in range(epochs):
        losses = []
        order = rng.permutation(len(data.train_labels))
        for start in range(0, len(order) - batch + 1, batch):
            rows = order[start : start + batch]
            value, gradient = step(layers, data.train_images[rows], data.train_labels[rows])
            for layer, velocity, slope in zip(layers, velocities, gradient, strict=True):
                for parameter, speed, down in zip(layer, velocity, slope, strict=True):
                    speed *= momentum
                    speed -= rate * down
                    parameter += speed
            losses.append(float(value))
        yield losses, accuracy(layers, data.test_images, data.test_labels)
