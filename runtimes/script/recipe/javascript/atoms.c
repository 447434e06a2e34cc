// atoms.c is appended to quickjs.c, of which build.sh has replaced what says which atoms are constant.
//
// QuickJS counts who uses an atom (a name, or a symbol), but for those that it comes with. A script that mentions a name so changes it,
// wherever it lies, and scripts can share one memory only as far as they do not change it. So no atom is counted that is there before the script.

// JS_StopCounting makes all atoms constant that there are. It returns false if memory has run out.
int JS_StopCounting(JSContext *ctx) {
  JSRuntime *rt = ctx->rt;
  int end = rt->atom_size;
  for (int i = 0; rt->atom_size == end; i++) { // until no place before the end is free for an atom of the script, which is to be counted
    char name[32];
    snprintf(name, sizeof name, "<uncounted %d>", i);
    if (JS_NewAtom(ctx, name) == JS_ATOM_NULL) return 0;
  }
  for (int i = 1; i < end; i++) rt->atom_array[i]->header.ref_count++; // so that it never is 0, as values that are symbols still count
  uncounted_atoms = end;
  return 1;
}
