/* Empty on purpose: Nim includes it without need, and clang would find the one of the host. */
