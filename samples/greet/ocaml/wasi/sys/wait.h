/* WASI has no processes to wait for; the runtime includes this without need. */
