"""Serves an exported model over HTTP, for trials and small machines: scripts/serve.py --model=models/digits --port=8501"""

from pathlib import Path

from absl import flags

from fanogan_tf import cli
from fanogan_tf.errors import UserError
from fanogan_tf.serving import http_server

flags.DEFINE_string("model", "", "The exported model: one version's folder, or the folder of all, whose newest is served.")
flags.DEFINE_string("name", "", "The model's name in the address. Default: the folder's.")
flags.DEFINE_string("host", "127.0.0.1", "Address to listen on. There is no password: leave it unless the network is yours.")
flags.DEFINE_integer("port", 8501, "Port to listen on; 0: any that is free.", lower_bound=0, upper_bound=65535)


def main(options, given):
    values = flags.FLAGS
    if not values.model:
        raise UserError("--model: say which exported model is served, as in --model=models/first")
    http_server.serve(Path(values.model), values.name, values.host, values.port)


if __name__ == "__main__":
    cli.run(main)
