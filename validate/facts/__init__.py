"""Facts: plain data collected from a running machine, with no judgement in it.

`collect.py` sends the modules under `guest/` and asks once; `schema.py` says what an answer must look like,
section by section, and refuses what a lying machine might send; `stable.py` leaves out what differs between
any two boots.
"""
