// The command encoding, of which Jim has none: its strings are UTF-8, and may have any bytes.
//
//	encoding convertfrom ?-profile strict? utf-8 $bytes   $bytes, or an error if they are not UTF-8 (RFC 3629)
//	encoding convertto utf-8 $string                      $string
//	encoding names                                        utf-8

#include <stdbool.h>
#include <string.h>

#include "tcl.h"

// utf8_length is the length of the UTF-8 sequence at p, or 0 where there is none.
static int utf8_length(const unsigned char *p, const unsigned char *end) {
  int n = *p < 0x80 ? 1 : *p < 0xC2 ? 0 : *p < 0xE0 ? 2 : *p < 0xF0 ? 3 : *p < 0xF5 ? 4 : 0;
  unsigned low = *p == 0xE0 ? 0xA0 : *p == 0xF0 ? 0x90 : 0x80;
  unsigned high = *p == 0xED ? 0x9F : *p == 0xF4 ? 0x8F : 0xBF;
  if (end - p < n || (n > 1 && (p[1] < low || p[1] > high))) return 0;
  for (int i = 2; i < n; i++)
    if ((p[i] & 0xC0) != 0x80) return 0;
  return n;
}

static int convert_from(Jim_Interp *interp, Jim_Obj *data) {
  int size;
  const unsigned char *start = (const unsigned char *)Jim_GetString(data, &size), *end = start + size;
  for (const unsigned char *p = start; p < end;) {
    int n = utf8_length(p, end);
    if (n == 0) {
      Jim_SetResultFormatted(interp, "unexpected byte sequence starting at index %#s", Jim_NewIntObj(interp, p - start));
      return JIM_ERR;
    }
    p += n;
  }
  Jim_SetResult(interp, data);
  return JIM_OK;
}

static int encoding(Jim_Interp *interp, int argc, Jim_Obj *const *argv) {
  const char *what = argc > 1 ? Jim_String(argv[1]) : "";
  if (argc == 2 && strcmp(what, "names") == 0) {
    Jim_SetResultString(interp, "utf-8", -1);
    return JIM_OK;
  }
  bool from = strcmp(what, "convertfrom") == 0;
  bool profile = argc == 6 && strcmp(Jim_String(argv[2]), "-profile") == 0;
  if ((argc != 4 && !profile) || (!from && strcmp(what, "convertto") != 0)) {
    Jim_SetResultString(interp, "usage: encoding convertfrom|convertto ?-profile strict? utf-8 data, or encoding names", -1);
    return JIM_ERR;
  }
  if (strcmp(Jim_String(argv[argc - 2]), "utf-8") != 0) {
    Jim_SetResultFormatted(interp, "unknown encoding \"%#s\"", argv[argc - 2]);
    return JIM_ERR;
  }
  if (from) return convert_from(interp, argv[argc - 1]);
  Jim_SetResult(interp, argv[argc - 1]);
  return JIM_OK;
}

int encoding_add(Jim_Interp *interp) { return Jim_CreateCommand(interp, "encoding", encoding, NULL, NULL); }
