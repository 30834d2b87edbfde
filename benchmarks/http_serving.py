"""The latency and correctness of serving over HTTP: python benchmarks/http_serving.py

The server runs in a process of its own; clients keep their connections and send one 64x64 image per request. Some requests are
malformed and must be refused. Every answer is compared with the model's own.
"""

import http.client
import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import command
import numpy as np
import synthetic

from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.serving import saved_model
from fanogan_tf.serving.export import export

WHAT = "Milliseconds per request of one 64x64 image over HTTP: f-AnoGAN, base width 16, random weights; JSON with all outputs."
SIDE, DIM, LATENT_DIM = 64, 16, 128
CLIENTS = 8
REQUESTS = 10_000
ALONE = 1_000
EVERY = 50  # One request in so many is malformed.
TOLERANCE = 1e-5
SERVE = Path(__file__).parent.parent / "scripts" / "serve.py"


class Client:
    """A client that sends some of the requests and checks the answers."""

    def __init__(self, address: str, bodies: list[bytes], scores: np.ndarray):
        self.parts, self.bodies, self.scores = urlsplit(address), bodies, scores
        self.broken = json.dumps({"instances": [[1, 2, 3]]}).encode()

    def __call__(self, numbers: range) -> tuple[list[float], int, float]:
        """Sends requests; returns seconds per request, wrong answers, and the largest relative difference of a score."""
        connection = http.client.HTTPConnection(self.parts.hostname, self.parts.port)
        seconds, wrong, largest = [], 0, 0.0
        for number in numbers:
            refused = number % EVERY == EVERY - 1
            place = number % len(self.bodies)
            start = time.perf_counter()
            connection.request("POST", self.parts.path, self.broken if refused else self.bodies[place])
            response = connection.getresponse()
            content = response.read()
            elapsed = time.perf_counter() - start
            if refused:
                wrong += response.status != 400
                continue
            seconds.append(elapsed)
            difference = np.inf
            if response.status == 200:
                score = np.float32(json.loads(content)["predictions"][0]["score"])
                difference = float(abs(score - self.scores[place]) / abs(self.scores[place]))
            wrong += not difference <= TOLERANCE
            largest = max(largest, difference)
        connection.close()
        return seconds, wrong, largest


def percentiles(seconds: list[float]) -> dict:
    p50, p99 = np.percentile(seconds, [50, 99]) * 1000
    return {"p50_ms": round(float(p50), 2), "p99_ms": round(float(p99), 2), "p99_over_p50": round(float(p99 / p50), 2)}


def without_http(served: saved_model.ServedDetector, images: np.ndarray, calls: int) -> dict:
    """Times the model alone in this process, which shows what the machine itself adds to the 99th percentile."""
    seconds = []
    for number in range(calls):
        place = number % len(images)
        start = time.perf_counter()
        served(images[place : place + 1])
        seconds.append(time.perf_counter() - start)
    return percentiles(seconds)


def asked(client: Client, requests: int, clients: int) -> dict:
    """Sends all requests, from `clients` clients at once."""
    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        seen = list(pool.map(client, [range(number, requests, clients) for number in range(clients)]))
    whole = time.perf_counter() - start
    return {
        "requests": requests,
        "clients": clients,
        "wrong_answers": sum(wrong for _, wrong, _ in seen),
        "largest_relative_difference_of_scores": max(largest for *_, largest in seen),
        **percentiles([second for seconds, _, _ in seen for second in seconds]),
        "requests_per_second": round(requests / whole, 1),
    }


def run(quick: bool) -> dict:
    images = synthetic.noise(200, SIDE)
    with tempfile.TemporaryDirectory() as temporary:
        folder = export(synthetic.detector(NetworkSpec((SIDE, SIDE, 1), DIM, LATENT_DIM)), Path(temporary, "model"))
        served = saved_model.load(folder)
        scores = np.concatenate([served(images[i : i + 1])["score"] for i in range(len(images))])
        bodies = [json.dumps({"instances": [image.tolist()]}).encode() for image in images]
        server = subprocess.Popen([sys.executable, SERVE, f"--model={folder}", "--port=0"], stdout=subprocess.PIPE, text=True)
        try:
            client = Client(server.stdout.readline().split()[-1], bodies, scores)
            asked(client, 100, 1)
            return {
                "without_http": without_http(served, images, 50 if quick else ALONE),
                "one_client": asked(client, 50 if quick else ALONE, 1),
                "eight_clients": asked(client, 200 if quick else REQUESTS, CLIENTS),
            }
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    command.main("http_serving", WHAT, run)
