"""The EMQX Operator for `EmqxEnterprise`, operator lines G1, G2 and G3.

Behaves as the operator does, bugs included: do not fix them here. `controller` decides when a pass runs, `reconcile`
what a pass does and in which order, the other modules are its steps.
"""
