"""Whether the answer to a question may be shared with other people. Pure.

It may only be shared if it would be the same for anybody, in any conversation, at any time. So a question that leans
on what was said ("and for students?"), on who asks ("where is my order?") or on now ("open today?") is neither stored
nor served, nor is one that carries what identifies somebody. All of it is decided by lists of words, in English and
in Chinese of both scripts, and both look at every text, as people mix them. They refuse when in doubt: a wrong refusal
costs one call of the model, a wrong sharing tells one person what was meant for another.

Generic "I" and "my" are not personal ("how do I reset my password?"): personal is the state or the possession of one's
own record.
"""

from bot.standalone.decide import Fitness, fitness

__all__ = ["Fitness", "fitness"]
