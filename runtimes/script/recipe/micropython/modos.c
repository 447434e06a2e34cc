// modos.c: the module os: the environment, entropy, and what is in a folder.

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wasi/api.h>

#include "py/runtime.h"

static mp_obj_t os_getenv(size_t n, const mp_obj_t *args) {
  const char *value = getenv(mp_obj_str_get_str(args[0]));
  if (!value) return n > 1 ? args[1] : mp_const_none;
  return mp_obj_new_str(value, strlen(value));
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(os_getenv_obj, 1, 2, os_getenv);

static mp_obj_t os_urandom(mp_obj_t count) {
  mp_int_t n = mp_obj_get_int(count);
  if (n < 0) mp_raise_ValueError(NULL);
  vstr_t bytes;
  vstr_init_len(&bytes, n);
  int failed = __wasi_random_get((uint8_t *)bytes.buf, n);
  if (failed) mp_raise_OSError(failed);
  return mp_obj_new_bytes_from_vstr(&bytes);
}
static MP_DEFINE_CONST_FUN_OBJ_1(os_urandom_obj, os_urandom);

static mp_obj_t os_listdir(mp_obj_t path) {
  DIR *d = opendir(mp_obj_str_get_str(path));
  if (!d) mp_raise_OSError(errno);
  mp_obj_t names = mp_obj_new_list(0, NULL);
  for (struct dirent *e; (e = readdir(d));)
    if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
      mp_obj_list_append(names, mp_obj_new_str(e->d_name, strlen(e->d_name)));
  closedir(d);
  return names;
}
static MP_DEFINE_CONST_FUN_OBJ_1(os_listdir_obj, os_listdir);

static const mp_rom_map_elem_t os_table[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_os)},
    {MP_ROM_QSTR(MP_QSTR_getenv), MP_ROM_PTR(&os_getenv_obj)},
    {MP_ROM_QSTR(MP_QSTR_urandom), MP_ROM_PTR(&os_urandom_obj)},
    {MP_ROM_QSTR(MP_QSTR_listdir), MP_ROM_PTR(&os_listdir_obj)},
};
static MP_DEFINE_CONST_DICT(os_globals, os_table);

const mp_obj_module_t os_module = {.base = {&mp_type_module}, .globals = (mp_obj_dict_t *)&os_globals};
MP_REGISTER_MODULE(MP_QSTR_os, os_module);
