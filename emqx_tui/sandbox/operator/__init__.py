"""The EMQX Operator for `EmqxEnterprise`, operator lines G1, G2 and G3.

Owns what the operator does and, just as much, what it wrongly does: nothing here is repaired. `controller` decides
when a pass runs, `reconcile` what a pass does and in which order, the other modules are its steps.
"""
