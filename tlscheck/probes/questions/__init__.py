"""What to ask next: from what is known, the hellos that settle the most with the fewest.

Pure: knowledge in, questions out. `engine` puts them on the wire.

The plan for one version: the first two questions strike out a suite, a group and a signature
scheme each. Then suites are asked with all groups and schemes in full, and groups and schemes with
all accepted suites, side by side; every refusal on that way is a closing refusal of its dimension.
The lists are offered the weak first and the strong first in turn, so that whose order decides
shows without a question of its own.
"""

from tlscheck.probes.questions.lists import CLASSIC
from tlscheck.probes.questions.rounds import Round, plan
from tlscheck.probes.questions.versions import first

__all__ = ["CLASSIC", "Round", "first", "plan"]
