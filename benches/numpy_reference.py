"""The comparable scenario of support/mod.rs in vectorised NumPy, on one thread: the reference of the speed ratio.

Reads what the Rust side prints (facts and volumes) from the file that is named, draws with NumPy's own generator,
and prints a line of JSON: seconds of the fastest of three runs, and the mean month of each plan.
"""

import json
import os
import sys
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np

Z95 = 1.6448536269514722
KNEE = 1.8
# Few enough that the hours of a block stay in cache, many enough to hide the interpreter; the best of those tried.
BLOCK = 250


def log_normal(rng, median, p95, shape):
    return median * np.exp(np.log(p95 / median) / Z95 * rng.standard_normal(shape))


def pert(rng, low, mode, high, shape):
    width = high - low
    return low + width * rng.beta(1 + 4 * (mode - low) / width, 1 + 4 * (high - mode) / width, shape)


def survival(z):
    """Upper tail of the standard normal. Abramowitz and Stegun 26.2.17, absolute error below 8e-8."""
    t = 1 / (1 + 0.2316419 * np.abs(z))
    poly = t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
    tail = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi) * poly
    return np.where(z >= 0, tail, 1 - tail)


def smooth_max(a, b):
    high, low = np.maximum(a, b), np.minimum(a, b)
    return high * (1 + (low / high) ** KNEE) ** (1 / KNEE)


class Demand:
    def __init__(self, rng, p, n):
        cases = p["use_cases"]
        shape = (n, len(cases))
        size = np.arange(1.0, len(cases) + 1)
        self.requests = log_normal(rng, 10_000 * size, 16_000 * size, shape) * p["days_per_month"]
        growth = pert(rng, -0.01, 0.015, 0.05, shape)
        self.system = 1_000 + 200 * size + np.zeros(shape)
        retrieved = pert(rng, 500.0, 1_000.0, 2_000.0, shape)
        median = rng.uniform(40.0, 80.0, shape)
        user = median * np.exp(0.5 * (np.log(300 / median) / Z95) ** 2)
        median = log_normal(rng, 180.0, 240.0, shape)
        sigma = np.log(600 / median) / Z95
        mean = median * np.exp(0.5 * sigma * sigma)
        z = np.log(800 / median) / sigma
        self.output = (mean - (mean * survival(z - sigma) - 800 * survival(z))) * (1 - 0.05 * 0.5)
        # Three turns, so that the average one carries one turn before it and a third of one in the place where it was sent.
        self.history = user + self.output
        self.resent = self.history / 3
        self.own = retrieved + user
        self.prompt = self.system + self.history + self.own
        q = pert(rng, 0.005, 0.015, 0.04, shape)
        self.success = 1 - q**3
        self.attempts = self.success / (1 - q)
        self.billed = self.success + 0.4 * q * self.attempts
        noise_variance = np.log(1 + p["noise_cv"] ** 2)
        noise = np.exp(np.sqrt(noise_variance) * rng.standard_normal((n, p["months"])) - 0.5 * noise_variance)
        months = np.arange(p["months"])
        self.monthly = self.requests[:, :, None] * (1 + growth)[:, :, None] ** months * noise[:, None, :]

    def read(self, requests, ttl, p, elsewhere=0.0):
        """Prompt tokens per request that a prompt cache answers; requests per month, months last.

        `elsewhere` is the share of turns that do not come to it.
        """
        shared = -np.expm1(-ttl * requests / p["secs_per_month"])
        ends = 1 - elsewhere * (2 / 3)
        kept = self.resent * ((1 - elsewhere) / ends * -np.expm1(-ends * ttl / 90.0))
        extra = (slice(None),) * 2 + (None,) * (requests.ndim - 2)
        return self.system[extra] * shared + kept[extra]


def api(rng, d, p, flows, input_price, output_price, elsewhere=0.0):
    """US dollars per trial and month of flows (trial, use case, month) at an API endpoint."""
    change = rng.triangular(-0.4, -0.15, 0.05, len(flows))
    factor = (1 + change)[:, None] ** (np.arange(p["months"]) / 12)
    read = d.read(flows, 300.0, p, elsewhere)
    prompt, own = d.prompt[:, :, None], d.own[:, :, None]
    written = prompt - read - own
    tokens = (own + 0.1 * read + 1.25 * written) * input_price + (d.output * output_price)[:, :, None]
    return (tokens * d.billed[:, :, None] * flows).sum(axis=1) * factor / 1e6


def around(d, p, plan, on_call=None):
    """Costs beside tokens and GPUs."""
    costs = p["plans"][plan]
    fixed = costs["fixed_usd"]
    if on_call is not None:
        fixed = fixed + (on_call * p["engineer_usd_per_year"] / 12)[:, None]
    total = d.monthly.sum(axis=1)
    tokens = (d.monthly * (d.prompt + d.output)[:, :, None]).sum(axis=1)
    usd = fixed + total * costs["usd_per_request"] + tokens * costs["usd_per_token"]
    usd[:, 0] += costs["one_time_usd"]
    return usd


def semantic(rng, d):
    """Share of requests that the cache answers, and what it costs."""
    hit = 0.6 * pert(rng, 0.15, 0.3, 0.5, len(d.requests))
    return hit[:, None, None], (0.6e-5 * d.monthly).sum(axis=1) + 200.0


def replica_seconds(rng, d, p, elsewhere=0.0):
    """Replica seconds per call, by trial and use case."""
    n = len(d.requests)
    f = p["serving"]
    mfu = pert(rng, 0.2, 0.35, 0.5, n)[:, None]
    mbu = pert(rng, 0.35, 0.5, 0.65, n)[:, None]
    factor = pert(rng, 0.6, 0.95, 1.2, n)[:, None]
    bandwidth = 4 * f["bandwidth"] * mbu
    dense_read = f["dense_bytes"] / (bandwidth * 0.85)
    dense_token = 2 * f["active_params"] / (4 * f["fp8_flops"] * mfu)
    kv = f["kv_bytes_per_token"] / bandwidth
    pair = f["layers"] * 4 * f["heads"] * f["head_dim"] / (4 * f["bf16_flops"] * mfu)
    reduces = 2 * f["layers"]
    ring = reduces * 2 * 3 / 4 * f["hidden"] * 2 / f["link"]
    prompt = np.maximum(d.prompt - d.read(d.requests, 600.0, p, elsewhere), 0)
    output = np.maximum(d.output, 1)
    context = d.prompt + 0.5 * output
    looks_back = np.maximum(d.prompt - 0.5 * prompt, 0.5 * prompt)

    def step(batch, prefilling):
        prefill = prefilling * prompt / output
        tokens = batch + prefill
        passes = np.maximum(tokens / 8192, 1)
        attention = pair * (batch * context + prefill * looks_back)
        return (
            smooth_max(dense_read * passes, dense_token * tokens)
            + smooth_max(batch * kv * context, attention)
            + reduces * 1.5e-5 * passes
            + ring * tokens
            + 0.002 * passes
        )

    most = np.minimum(f["kv_budget"] / (f["kv_bytes_per_token"] * context), f["max_sequences"])
    low, high = np.ones_like(most), most
    target = 0.05
    at_low, at_high = step(low, low - 1) - target, step(high, high - 1) - target
    whole = at_high <= 0
    side = np.zeros_like(most)
    with np.errstate(divide="ignore", invalid="ignore"):
        for _ in range(6):
            middle = (low * at_high - high * at_low) / (at_high - at_low)
            error = step(middle, middle - 1) - target
            below = error <= 0
            at_high = np.where(below, np.where(side < 0, 0.5 * at_high, at_high), error)
            at_low = np.where(below, error, np.where(side > 0, 0.5 * at_low, at_low))
            low, high = np.where(below, middle, low), np.where(below, high, middle)
            side = np.where(below, -1, 1)
    batch = np.where(whole, most, low)
    return output * step(batch, batch) / (batch * factor)


def week(d, p, flows, seconds):
    """Busy replicas by trial, month and hour of the week."""
    work = flows / p["weeks_per_month"] * (d.attempts * seconds / 3600)[:, :, None]
    return work.transpose(0, 2, 1) @ np.array(p["weights"])


def gpus(rng, p, replicas):
    rate = rng.triangular(2.2, 2.95, 4.2, len(replicas))[:, None]
    return replicas * (p["hours_per_month"] * 4 * rate + 300 * 0.08)


def block(rng, p, n):
    d = Demand(rng, p, n)
    large = api(rng, d, p, d.monthly, 3.0, 15.0) + around(d, p, 0)

    hit, cache = semantic(rng, d)
    misses = d.monthly * (1 - hit)
    tiered = api(rng, d, p, misses * 0.8, 0.25, 2.0, 1 - 0.8 * (1 - hit[:, :, 0]))
    tiered += api(rng, d, p, misses * 0.2, 3.0, 15.0, 1 - 0.2 * (1 - hit[:, :, 0]))
    tiered += cache + 5e-5 * misses.sum(axis=1) + around(d, p, 1)

    hit, cache = semantic(rng, d)
    load = week(d, p, d.monthly * (1 - hit), replica_seconds(rng, d, p, hit[:, :, 0]))
    replicas = np.maximum(np.ceil(load.max(axis=2) * 1.3 - 1e-9), 0) + 1
    own = gpus(rng, p, replicas) + cache + around(d, p, 2, pert(rng, 0.6, 1.0, 1.8, n))

    load = week(d, p, d.monthly, replica_seconds(rng, d, p))
    served = np.minimum(load, 2 * 0.8).sum(axis=2) / load.sum(axis=2)
    hybrid = gpus(rng, p, np.full((n, p["months"]), 2.0)) + around(d, p, 3)
    hybrid += api(rng, d, p, d.monthly * (1 - served)[:, None, :], 0.25, 2.0)
    return np.stack([large, tiered, own, hybrid])


def forecast(p, trials, seed):
    rng = np.random.Generator(np.random.PCG64(seed))
    blocks = [block(rng, p, min(BLOCK, trials - at)) for at in range(0, trials, BLOCK)]
    months = np.concatenate(blocks, axis=1)
    means = months.mean(axis=2)
    # What a picture needs: percentiles of every plan and month, and of the mean month.
    np.percentile(months, [5, 25, 50, 75, 95], axis=1)
    np.percentile(means, [5, 25, 50, 75, 95], axis=1)
    np.bincount(means.argmin(axis=0), minlength=4)
    return means.mean(axis=1)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        p = json.load(file)
    forecast(p, BLOCK, 0)
    times = []
    for seed in (1, 2, 3):
        start = time.perf_counter()
        means = forecast(p, p["trials"], seed)
        times.append(time.perf_counter() - start)
    print(json.dumps({"secs": min(times), "mean_month_usd": means.tolist(), "numpy": np.__version__}))


main()
