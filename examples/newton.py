"""Differentiating through Newton's iteration.

    python examples/newton.py

Kepler's equation, E - e sin E = M, has no solution in closed form: the program below iterates until
the change is small and leaves the loop with `break`. Its gradient reverses the iterations that were
taken. The implicit function theorem gives the same derivatives without any iteration,

    dE/de = sin E / (1 - e cos E),    dE/dM = 1 / (1 - e cos E),

and that is what the gradient is checked against.
"""

from __future__ import annotations

import math

from myia import value_and_grad


def eccentric_anomaly(eccentricity, mean_anomaly):
    """The E that solves E - e sin E = M, to twelve digits."""
    anomaly = mean_anomaly
    rounds = 0
    while rounds < 50:
        residual = anomaly - eccentricity * math.sin(anomaly) - mean_anomaly
        change = residual / (1.0 - eccentricity * math.cos(anomaly))
        anomaly -= change
        if abs(change) < 1e-12:
            break
        rounds += 1
    return anomaly


solve = value_and_grad(eccentric_anomaly, wrt=("eccentricity", "mean_anomaly"))


def main() -> float:
    worst = 0.0
    print("   e      M           E            dE/de       implicit          dE/dM       implicit")
    for eccentricity, mean_anomaly in [(0.017, 1.0), (0.21, 2.0), (0.6, 0.5), (0.967, 0.1)]:
        value, (d_eccentricity, d_mean_anomaly) = solve(eccentricity, mean_anomaly)
        slope = 1.0 - eccentricity * math.cos(value)
        implicit = (math.sin(value) / slope, 1.0 / slope)
        print(
            f"{eccentricity:5.3f}  {mean_anomaly:5.3f}  {value:12.9f}"
            f"  {d_eccentricity:13.9f}  {implicit[0]:13.9f}  {d_mean_anomaly:13.9f}  {implicit[1]:13.9f}"
        )
        for ours, exact in zip((d_eccentricity, d_mean_anomaly), implicit, strict=True):
            worst = max(worst, abs(ours - exact) / abs(exact))
    print(f"\nlargest relative error {worst:.1e}")

    print("\nthe function Myia wrote:\n")
    print(solve.source)
    return worst


if __name__ == "__main__":
    main()
