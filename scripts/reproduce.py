"""Trains what is missing and writes the papers' tables: scripts/reproduce.py --flagfile=flags/mnist.flags --run_dir=runs/tables

--normal_class=all, or 0,1,5,8, takes the classes in turn; --anomalous_class=all is the opposite protocol.
"""

from absl import flags

from fanogan_tf import cli
from fanogan_tf.comparison import report, runs
from fanogan_tf.run_directory import RunDirectory

flags.DEFINE_string("run_dir", "", "Where all runs and report/ are kept. With the same one again it goes on where it stopped.")
flags.DEFINE_list("methods", [], "What to compare, with commas in between; empty: everything.")
flags.DEFINE_integer("seeds", 1, "How many seeds, from --seed on.", lower_bound=1)
flags.DEFINE_integer(
    "searched_images",
    0,
    "At most this many test images, and a quarter as many held-out ones, for methods that look for z image by image; 0: all.",
    lower_bound=0,
)
flags.DEFINE_boolean("train", True, "Train and score what is missing; --train=false only makes tables of what is there.")


def main(options, given):
    values = flags.FLAGS
    root = RunDirectory(values.run_dir)
    jobs = runs.plan(root.path, options, values.methods, values.seeds, values.searched_images)
    with root.locked():
        if values.train:
            runs.train_and_score(jobs)
        print(report.report(root.report, jobs))


if __name__ == "__main__":
    cli.run(main)
