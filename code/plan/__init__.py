"""From words to workloads: the request, the plan and every value's origin."""
