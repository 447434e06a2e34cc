polyvoke :- current_prolog_flag(argv, A), A=[F|_], catch(consult(F), E, (write(caught(E)), nl)), write(loaded), nl, halt(3).
polyvoke_check :- halt(0).
