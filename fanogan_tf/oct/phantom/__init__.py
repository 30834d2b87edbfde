"""Made-up macular OCT volumes, healthy or diseased, whose layers and lesions are known exactly.

They stand in for patients' volumes, which nobody may publish, in tests, examples and benchmarks. They look like a scanner's
volumes but are simpler: results on them say nothing about patients.
"""

from fanogan_tf.oct.phantom.make import make_phantom
from fanogan_tf.oct.phantom.settings import PhantomSettings

__all__ = ["PhantomSettings", "make_phantom"]
